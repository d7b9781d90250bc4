"""The verbs of `one`: where each is written, and the line that `--help` has for it.

Nothing else of a command is read before it is used. A test compares the lines with what the commands say of themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Verb:
    """One command: `module:function` in portal.cli.commands."""

    place: str
    help: str


@dataclass(frozen=True)
class Group:
    """Commands under one name; `alone` is what it does without any, as `module:function`, "" for its help."""

    help: str
    verbs: Mapping[str, Verb]
    alone: str = ""


_MODELS: Final[Mapping[str, Verb]] = {
    "list": Verb("models:list_models", "Stored models, newest first."),
    "show": Verb("models:show_model", "One model: its files with sha256 and where it comes from."),
    "download": Verb(
        "models:download",
        "Download a model; a lost connection resumes, and every file's sha256 is checked.",
    ),
    "alias": Verb("models:alias", "Give a version an alias, moving it from where it was, or take it away."),
    "aliases": Verb("models:aliases", "Every move of an App's aliases, the newest first."),
    "note": Verb("models:note", "Write a version's note; earlier ones are kept."),
    "purge": Verb("models:purge", "Delete a version's files for good; lineage, logs and notes stay."),
    "save-again": Verb("models:save_again", "Store once more what a run left, where that failed."),
}
_ANALYSES: Final[Mapping[str, Verb]] = {
    "list": Verb("analyses:list_analyses", "Analyses, the newest first."),
    "show": Verb("analyses:show_analysis", "One analysis: its Operator, its figures and its files."),
    "download": Verb("analyses:download", "Its files, each kept only if its sha256 is the manifest's."),
    "run": Verb("analyses:run", "Run an Operator, a saved one or a file, on a completed workload of yours."),
    "again": Verb("analyses:again", "Run the same Operator on the same workload once more."),
    "upload": Verb("analyses:upload", "Keep a file as an Operator, or as the next version of the one of that name."),
    "operators": Verb("analyses:list_operators", "Your Operators, by name."),
    "archive": Verb("analyses:archive", "Offer it no more; what it found out stays."),
    "restore": Verb("analyses:restore", "Offer it again."),
}
_COMPONENTS: Final[Mapping[str, Verb]] = {
    "list": Verb("components:list_components", "Components of the library, by name."),
    "show": Verb("components:show_component", "One component with its versions and where it is used."),
    "register": Verb(
        "components:register",
        "Register a component from a JSON file: name, version, image, resources, params, description, tags.",
    ),
    "version": Verb(
        "components:make_version",
        "Make the next version from a JSON file: version, image, resources, params, note.",
    ),
    "deprecate": Verb("components:deprecate", "Offer it no more; Apps that place it go on working."),
    "restore": Verb("components:restore", "Offer it again."),
}
_IMAGES: Final[Mapping[str, Verb]] = {
    "list": Verb("cluster:list_images", "Container images by digest and the state of their conversion."),
    "remove": Verb(
        "cluster:remove_image",
        "Remove an unused image from the cache (admins); it is converted again when needed.",
    ),
}
_MAINTENANCE: Final[Mapping[str, Verb]] = {
    "on": Verb("maintenance:switch_on", "Hand nothing new to Slurm (admins). Everything else goes on."),
    "off": Verb("maintenance:switch_off", "Hand waiting work to Slurm again (admins)."),
    "status": Verb("maintenance:status", "Whether hand-over to Slurm is stopped, since when, by whom and why."),
}
_EDITORS: Final[Mapping[str, Verb]] = {
    "list": Verb("editors:list_editors", "An App's co-editors."),
    "add": Verb(
        "editors:add_editor",
        "Let a person edit and publish the App, and read its runs (owner, admins); again is fine.",
    ),
    "remove": Verb("editors:remove_editor", "Take that right away (owner, admins); what the person did stays."),
}
_AUDIT: Final[Mapping[str, Verb]] = {
    "verify": Verb(
        "audit:verify",
        "Compare every audit row with its seal, and the seals with their heads in S3 (admins); 1 when something is wrong.",
    ),
}
_TOKENS: Final[Mapping[str, Verb]] = {
    "list": Verb("account:list_tokens", "Your API tokens."),
    "make": Verb("account:make_token", "Make a token; its value is printed once, on stdout."),
    "revoke": Verb("account:revoke_token", "Revoke one of your tokens; it stops working at once."),
}
VERBS: Final[Mapping[str, Verb | Group]] = {
    "login": Verb(
        "account:login",
        "Sign in, in the browser; address and token are kept in a file that only you can read.",
    ),
    "logout": Verb("account:logout", "Forget the stored token. It stays valid until it expires or is revoked."),
    "validate": Verb(
        "specs:validate",
        "Check a spec file: every problem with its JSON path and cure. Without a login it is checked here only.",
    ),
    "plan": Verb(
        "specs:plan",
        "Explain where a spec file would run now: jobs, groups, what is given back when, and why.",
    ),
    "submit": Verb("submit:submit", "Submit a spec file. Everything else can wait: Ctrl-C only detaches."),
    "rerun": Verb("submit:rerun", "Run an ended workload again as a new one, with the same images, spec and options."),
    "list": Verb("workloads:list_workloads", "Workloads, newest first."),
    "show": Verb("workloads:show", "One workload: where it is, what was decided, its Slurm jobs."),
    "logs": Verb(
        "workloads:logs",
        "What a workload's steps wrote, each line with its component in front (not with --component).",
    ),
    "cancel": Verb("workloads:cancel", "Cancel a workload; what runs is stopped, nothing is saved as a model."),
    "why": Verb("workloads:why", "Why it is not running, in plain words."),
    "shell": Verb("shell:shell", "A shell inside a component's running container; exits as the shell does."),
    "test": Verb("approvals:start_test", "Run the minimal run test that an approval needs."),
    "approve": Verb(
        "approvals:approve",
        "Approve a request (admins); its minimal run test must have passed for exactly what it would run.",
    ),
    "reject": Verb("approvals:reject", "Reject a request (admins); the reason goes to the applicant."),
    "queue": Verb("cluster:queue", "What waits, in the order in which Slurm will take it, and why."),
    "priority": Verb(
        "cluster:priority",
        "Change the level of a waiting workload (admins). Running ones never stop for it.",
    ),
    "move": Verb("cluster:move", "Move a waiting workload within its level (admins)."),
    "hold": Verb("cluster:hold", "Keep a waiting workload from starting (admins)."),
    "release": Verb("cluster:release", "Let a held workload start again (admins)."),
    "nodes": Verb("cluster:nodes", "The cluster's nodes and what of them is allocated."),
    "status": Verb(
        "cluster:status",
        "Slurm's version, the road to it, how fresh the picture is, and how much work there is.",
    ),
    "doctor": Verb(
        "doctor:doctor",
        "Check the portal's parts, and with --reconcile that portal, Slurm and storage agree (admins); 1 when they do not.",
    ),
    "repair": Verb(
        "repair:repair",
        "Have the daemon mend a mismatch of the newest `one doctor --reconcile` (admins); 1 when it was refused.",
    ),
    "serve": Verb("serve:serve", "Run web and daemon here, for you alone, until Ctrl-C."),
    "models": Group("Stored models.", _MODELS),
    "analyses": Group("Operators and what they found out.", _ANALYSES),
    "components": Group("The component library.", _COMPONENTS),
    "images": Group("Container images.", _IMAGES, alone="cluster:images"),
    "maintenance": Group("Stop hand-over to Slurm for a while.", _MAINTENANCE),
    "editors": Group("Who edits an App beside its owner.", _EDITORS),
    "audit": Group("The audit log.", _AUDIT),
    "tokens": Group("Your API tokens.", _TOKENS),
}
