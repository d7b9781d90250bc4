"""Words of the glossary for values of the code: `LABELS.workload["queued"]` is a label with its status class and icon."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

from portal.web.catalogue import N_


@dataclass(frozen=True)
class Label:
    """A word of the glossary (its msgid), the status class of its colour, and its icon."""

    text: str
    status: str = ""
    icon: str = ""


WORKLOAD: Final = {
    "submitted": Label(N_("Submitted (checking images)"), "queued", "clock"),
    "awaiting_approval": Label(N_("Awaiting approval"), "await", "hourglass"),
    "rejected": Label(N_("Rejected"), "reject", "arrow-back-up"),
    "queued": Label(N_("Queued"), "queued", "clock"),
    "running": Label(N_("Running"), "run", "player-play"),
    "saving": Label(N_("Running"), "run", "player-play"),
    "completed": Label(N_("Completed"), "ok", "circle-check"),
    "failed": Label(N_("Failed"), "bad", "circle-x"),
    "cancelled": Label(N_("Cancelled"), "off", "ban"),
}
PHASE: Final = {
    "checking": N_("Checks before start"),
    "preparing": N_("Preparing images"),
    "slurm_pending": N_("Waiting for resources"),
    "held": N_("Held"),
    "starting": N_("Starting"),
    "saving": N_("Saving results"),
    "cancelling": N_("Cancelling"),
}
DECISION: Final = {
    "awaiting": Label(N_("Awaiting approval"), "await", "hourglass"),
    "approved": Label(N_("Approved"), "ok", "check"),
    "rejected": Label(N_("Rejected"), "reject", "arrow-back-up"),
    "not_required": Label(N_("Approval not needed"), "quiet", "check"),
}
STEP: Final = {
    "waiting": Label(N_("Not started"), "off", "circle-dashed"),
    "running": Label(N_("Running"), "run", "player-play"),
    "completed": Label(N_("Completed"), "ok", "circle-check"),
    "failed": Label(N_("Failed"), "bad", "circle-x"),
    "cancelled": Label(N_("Cancelled"), "off", "ban"),
    "skipped": Label(N_("Skipped"), "off", "player-skip-forward"),
}
TEST: Final = {
    "pending": Label(N_("Not run"), "await", "hourglass"),
    "running": Label(N_("Test running"), "run", "player-play"),
    "passed": Label(N_("Test passed"), "ok", "checks"),
    "failed": Label(N_("Test failed"), "bad", "circle-x"),
    "void": Label(N_("Void (spec changed)"), "off", "ban"),
}
APP: Final = {
    "draft": Label(N_("Draft"), "off", "pencil"),
    "ready": Label(N_("Ready"), "ok", "circle-check"),
    "editing": Label(N_("Ready · editing"), "ok", "circle-check"),
    "archived": Label(N_("Archived"), "off", "archive"),
}
KIND: Final = {
    "rl": Label(N_("RL")),
    "general": Label(N_("General")),
    "test": Label(N_("Test")),
    "analysis": Label(N_("Analysis")),
}
PRIORITY: Final = {"high": Label(N_("High")), "normal": Label(N_("Normal")), "low": Label(N_("Low"))}
NODE: Final = {
    "active": Label("Active", "ok", "circle-check"),
    "drain": Label("Drain", "await", "droplet-down"),
    "down": Label("Down", "bad", "plug-x"),
    "reserved": Label(N_("Reserved"), "queued", "clock"),
    "unknown": Label(N_("Unknown"), "unknown", "help-circle"),
}
IMAGE: Final = {
    "checking": Label(N_("Checking"), "unknown", "refresh"),
    "verified": Label(N_("Verified"), "ok", "circle-check"),
    "not_found": Label(N_("Not found"), "bad", "circle-x"),
    "unreachable": Label(N_("Registry unreachable"), "unknown", "help-circle"),
    "not_allowed": Label(N_("Registry not allowed"), "bad", "ban"),
    "unusable": Label(N_("Cannot be used"), "bad", "circle-x"),
    "unchecked": Label(N_("Not checked"), "unknown", "help-circle"),
}
SIF: Final = {
    "": Label(N_("Not converted"), "off", "circle-dashed"),
    "wanted": Label(N_("Not converted"), "off", "circle-dashed"),
    "converting": Label(N_("Converting"), "run", "refresh"),
    "ready": Label(N_("Converted"), "ok", "circle-check"),
    "failed": Label(N_("Conversion failed"), "bad", "circle-x"),
    "removing": Label(N_("Being removed"), "off", "refresh"),
}
COMPONENT: Final = {
    "deprecated": Label(N_("Deprecated"), "off", "archive"),
}
MODEL: Final = {
    "saving": Label(N_("Saving"), "run", "player-play"),
    "stored": Label(N_("Stored"), "ok", "circle-check"),
    "save_failed": Label(N_("Save failed"), "bad", "circle-x"),
    "purged": Label(N_("Files deleted"), "off", "archive"),
    "purge": Label(N_("Files being deleted"), "off", "hourglass"),
    "save": Label(N_("Saving"), "run", "player-play"),
}
ROLE: Final = {"admin": Label(N_("Admin")), "researcher": Label(N_("Researcher")), "viewer": Label(N_("Viewer"))}
PROVIDER: Final = {"oidc": "OpenID Connect", "saml": "SAML"}
"""How a person signs in by SSO: names, the same in every language."""
VISIBILITY: Final = {"lab": Label(N_("Lab-visible")), "private": Label(N_("Private"))}
MAPPING: Final = {
    "unchecked": Label(N_("Checking"), "unknown", "refresh"),
    "verified": Label(N_("Verified"), "ok", "circle-check"),
    "no_unix_user": Label(N_("No Unix account"), "bad", "circle-x"),
    "no_association": Label(N_("No association"), "bad", "circle-x"),
    "no_qos": Label(N_("QOS missing"), "bad", "circle-x"),
    "unknown": Label(N_("Unknown"), "unknown", "help-circle"),
}
SCOPE: Final = {
    "read": Label(N_("Read")),
    "submit": Label(N_("Submit")),
    "download": Label(N_("Download models")),
    "approve": Label(N_("Approve")),
}
TOKEN: Final = {
    "valid": Label(N_("Valid"), "ok", "circle-check"),
    "expired": Label(N_("Expired"), "off", "clock"),
    "revoked": Label(N_("Revoked"), "off", "ban"),
}
PERMISSION: Final = {
    "cluster:read": N_("See the cluster"),
    "queue:read": N_("See the queue"),
    "approvals:read": N_("See approvals"),
    "app:create": N_("Create Apps"),
    "token:create": N_("Make own API tokens"),
    "user:manage": N_("Manage users"),
    "audit:read": N_("Read the audit log"),
    "image:read": N_("See images"),
    "image:remove": N_("Remove images"),
    "cluster:check": N_("Check the system"),
    "cluster:repair": N_("Mend mismatches"),
    "maintenance:switch": N_("Switch maintenance"),
    "settings:change": N_("Change settings"),
    "app:read": N_("See an App"),
    "app:edit": N_("Edit an App"),
    "app:archive": N_("Archive an App"),
    "app:share": N_("Share an App"),
    "app:submit": N_("Submit an App"),
    "workload:read": N_("See a workload"),
    "workload:logs": N_("Read logs (others' where shared)"),
    "workload:archive": N_("Download all logs"),
    "workload:edit": N_("Edit a waiting request"),
    "workload:cancel": N_("Cancel a workload"),
    "workload:rerun": N_("Rerun a workload"),
    "workload:test": N_("Run the minimal run test"),
    "workload:approve": N_("Approve a request"),
    "workload:reject": N_("Reject a request"),
    "workload:prioritise": N_("Change priority and order"),
    "workload:hold": N_("Hold and release"),
    "workload:files": N_("Download files of /one/out"),
    "workload:analyse": N_("Run an Operator on a finished workload"),
    "operator:create": N_("Upload Operators"),
    "operator:read": N_("See an Operator"),
    "operator:edit": N_("Archive an Operator"),
    "analysis:read": N_("See analysis results"),
    "analysis:download": N_("Download analysis results"),
    "model:read": N_("See a model"),
    "model:download": N_("Download a model"),
    "model:rename": N_("Rename a model"),
    "token:revoke": N_("Revoke an API token"),
}
"""Words for the permissions; one that has none is shown by its code alone."""
ACTION: Final = {
    "user.create": N_("Add user"),
    "user.change": N_("Change user"),
    "user.deactivate": N_("Deactivate user"),
    "user.reactivate": N_("Reactivate user"),
    "user.link": N_("Link to SSO"),
    "user.mapping_checked": N_("Slurm mapping checked"),
    "user.mapping_ask": N_("Ask to check the Slurm mapping"),
    "password.hand_out": N_("Hand out a one-time password"),
    "password.change": N_("Change password"),
    "session.begin": N_("Sign in"),
    "session.end": N_("Sign out"),
    "token.create": N_("Create token"),
    "token.revoke": N_("Revoke token"),
    "token.refused": N_("Token refused"),
    "app.create": N_("Create App"),
    "app.version": N_("Add App version"),
    "component.create": N_("Register component"),
    "component.change": N_("Change component"),
    "component.version": N_("Add component version"),
    "component.image_verified": N_("Image of a component checked"),
    "component.deprecate": N_("Deprecate component"),
    "component.restore": N_("Take back the deprecation"),
    "draft.open": N_("Open draft"),
    "draft.publish": N_("Publish draft"),
    "draft.discard": N_("Discard draft"),
    "workload.submit": N_("Submit workload"),
    "workload.rerun": N_("Rerun workload"),
    "workload.state": N_("Workload changed state"),
    "workload.edit": N_("Edit workload"),
    "workload.cancel": N_("Cancel workload"),
    "workload.approve": N_("Approve workload"),
    "workload.reject": N_("Reject workload"),
    "workload.priority": N_("Change priority"),
    "workload.move": N_("Change order"),
    "workload.hold": N_("Hold workload"),
    "workload.release": N_("Release workload"),
    "workload.changed_outside": N_("Changed in Slurm"),
    "workload.download": N_("Download a file of /one/out"),
    "test.start": N_("Start minimal run test"),
    "test.result": N_("Minimal run test ended"),
    "test.attach": N_("Attach test result"),
    "job.submit": N_("Hand job to Slurm"),
    "job.cancel": N_("Cancel job in Slurm"),
    "model.save": N_("Store model"),
    "model.download": N_("Download model file"),
    "model.rename": N_("Rename model"),
    "model.alias": N_("Move alias"),
    "model.note": N_("Write model note"),
    "model.archive": N_("Archive model"),
    "model.restore": N_("Take model from the archive"),
    "model.purge": N_("Delete model files"),
    "model.purged": N_("Model files deleted"),
    "model.save_again": N_("Save model again"),
    "operator.upload": N_("Upload Operator"),
    "operator.archive": N_("Archive Operator"),
    "operator.restore": N_("Take Operator from the archive"),
    "operator.download": N_("Download Operator"),
    "analysis.start": N_("Start analysis"),
    "analysis.save": N_("Store analysis results"),
    "analysis.download": N_("Download analysis result"),
    "image.convert": N_("Convert image"),
    "image.remove": N_("Remove image"),
    "doctor.ask": N_("Ask for a checkup"),
    "repair.ask": N_("Ask to mend a mismatch"),
    "repair.done": N_("Mismatch mended"),
    "audit.export": N_("Export audit log"),
    "audit.verify": N_("Verify audit log"),
    "audit.expire": N_("Delete expired records"),
    "request.refused": N_("Request refused"),
    "app.archive": N_("Archive App"),
    "app.restore": N_("Restore App"),
    "app.share": N_("Change who sees an App"),
    "app.editor_add": N_("Add co-editor"),
    "app.editor_remove": N_("Remove co-editor"),
    "maintenance.on": N_("Switch maintenance on"),
    "maintenance.off": N_("Switch maintenance off"),
    "settings.change": N_("Change settings"),
    "webhook.set": N_("Set a webhook for notifications"),
    "webhook.remove": N_("Remove the webhook for notifications"),
    "training_template.save": N_("Save a training template"),
    "training_template.remove": N_("Remove a training template"),
    "portal.backup": N_("Back up the portal"),
    "portal.restore": N_("Restore the portal"),
}
"""Words for what is audited; an action that has none is shown by its code alone."""
AUDIT_RESULT: Final = {
    "ok": Label(N_("Success"), "ok", "check"),
    "refused": Label(N_("Refused"), "await", "ban"),
    "failed": Label(N_("Failed"), "bad", "circle-x"),
}
REPAIR: Final = {
    "wanted": Label(N_("The daemon is mending it."), "queued", "clock"),
    "done": Label(N_("Mended"), "ok", "check"),
    "agreed": Label(N_("Nothing to do: both sides agree"), "quiet", "check"),
    "refused": Label(N_("Not mended"), "bad", "circle-x"),
}
PART: Final = {
    "database": Label(N_("Database")),
    "slurm": Label(N_("Slurm (agent, slurmctld, slurmdbd)")),
    "picture": Label(N_("Daemon's snapshot of the cluster")),
    "priorities": Label(N_("Order of the queue in Slurm")),
    "registry": Label(N_("Image registry")),
    "converter": Label(N_("Image conversion")),
    "runs": Label(N_("Run directories")),
    "s3": Label(N_("Object store (S3)")),
    "prometheus": Label("Prometheus"),
    "dcgm": Label(N_("GPU figures (DCGM)")),
}
PART_STOPS: Final = {
    "database": N_("Nothing works without it."),
    "slurm": N_("Submissions wait; running jobs go on."),
    "picture": N_("Pages show old values."),
    "priorities": N_("Workloads may start in another order."),
    "registry": N_("New requests wait for their images to be checked."),
    "converter": N_("Workloads with new images wait."),
    "runs": N_("Workloads cannot start."),
    "s3": N_("Results wait to be saved; downloads fail."),
    "prometheus": N_("GPU use is not measured; alerts stay silent."),
    "dcgm": N_("GPU use of these nodes is not measured."),
}
"""What a part that fails stops."""

LABELS: Final = SimpleNamespace(
    workload=WORKLOAD,
    phase=PHASE,
    decision=DECISION,
    step=STEP,
    test=TEST,
    app=APP,
    kind=KIND,
    priority=PRIORITY,
    node=NODE,
    image=IMAGE,
    sif=SIF,
    component=COMPONENT,
    model=MODEL,
    role=ROLE,
    visibility=VISIBILITY,
    mapping=MAPPING,
    provider=PROVIDER,
    scope=SCOPE,
    token=TOKEN,
    permission=PERMISSION,
    action=ACTION,
    repair=REPAIR,
    part=PART,
    part_stops=PART_STOPS,
    audit_result=AUDIT_RESULT,
)
"""All of them, as templates see them."""
