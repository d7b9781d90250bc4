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
    "removing": Label(N_("Not converted"), "off", "circle-dashed"),
}
COMPONENT: Final = {
    "deprecated": Label(N_("Deprecated"), "off", "archive"),
}
MODEL: Final = {
    "saving": Label(N_("Saving"), "run", "player-play"),
    "stored": Label(N_("Stored"), "ok", "circle-check"),
    "save_failed": Label(N_("Save failed"), "bad", "circle-x"),
    "purged": Label(N_("Files deleted"), "off", "archive"),
}
ROLE: Final = {"admin": Label(N_("Admin")), "researcher": Label(N_("Researcher")), "viewer": Label(N_("Viewer"))}
VISIBILITY: Final = {"lab": Label(N_("Lab-visible")), "private": Label(N_("Private"))}
MAPPING: Final = {
    "unchecked": Label(N_("Checking"), "unknown", "refresh"),
    "verified": Label(N_("Verified"), "ok", "circle-check"),
    "no_unix_user": Label(N_("No Unix account"), "bad", "circle-x"),
    "no_association": Label(N_("No association"), "bad", "circle-x"),
    "unknown": Label(N_("Unknown"), "unknown", "help-circle"),
}
SCOPE: Final = {
    "read": Label(N_("Read")),
    "submit": Label(N_("Submit")),
    "download": Label(N_("Download models")),
    "approve": Label(N_("Approve")),
}

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
    scope=SCOPE,
)
"""All of them, as templates see them."""
