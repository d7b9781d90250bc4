"""Who may do what to which object, decided in one place from the object's state (decisions D5, D6, D12, D16, D24).

    may(person, Permission.WORKLOAD_CANCEL, WorkloadFacts(...))  -> bool
    granted(person, AppFacts(...))                               -> every permission the person holds on it
An object that a person may not even read does not exist for that person: answer 404, not 403.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import singledispatch

from portal.domain.lifecycle import LIVE, State

ADMIN = "admin"
RESEARCHER = "researcher"
VIEWER = "viewer"
ROLES = (ADMIN, RESEARCHER, VIEWER)


class Permission(StrEnum):
    """`<resource>:<action>`."""

    CLUSTER_READ = "cluster:read"
    QUEUE_READ = "queue:read"
    APPROVALS_READ = "approvals:read"
    APP_CREATE = "app:create"
    TOKEN_CREATE = "token:create"
    USER_MANAGE = "user:manage"
    AUDIT_READ = "audit:read"
    IMAGE_READ = "image:read"
    IMAGE_CHECK = "image:check"
    IMAGE_REMOVE = "image:remove"
    CLUSTER_CHECK = "cluster:check"
    CLUSTER_REPAIR = "cluster:repair"
    MAINTENANCE_SWITCH = "maintenance:switch"
    SETTINGS_CHANGE = "settings:change"

    COMPONENT_READ = "component:read"
    COMPONENT_CREATE = "component:create"
    COMPONENT_EDIT = "component:edit"

    APP_READ = "app:read"
    APP_EDIT = "app:edit"
    APP_ARCHIVE = "app:archive"
    APP_SHARE = "app:share"
    APP_SUBMIT = "app:submit"

    WORKLOAD_READ = "workload:read"
    WORKLOAD_LOGS = "workload:logs"
    WORKLOAD_ARCHIVE = "workload:archive"
    WORKLOAD_EDIT = "workload:edit"
    WORKLOAD_CANCEL = "workload:cancel"
    WORKLOAD_RERUN = "workload:rerun"
    WORKLOAD_TEST = "workload:test"
    WORKLOAD_APPROVE = "workload:approve"
    WORKLOAD_REJECT = "workload:reject"
    WORKLOAD_PRIORITISE = "workload:prioritise"
    WORKLOAD_HOLD = "workload:hold"
    WORKLOAD_ANALYSE = "workload:analyse"
    WORKLOAD_FILES = "workload:files"

    OPERATOR_CREATE = "operator:create"
    OPERATOR_READ = "operator:read"
    OPERATOR_EDIT = "operator:edit"
    ANALYSIS_READ = "analysis:read"
    ANALYSIS_DOWNLOAD = "analysis:download"

    MODEL_READ = "model:read"
    MODEL_DOWNLOAD = "model:download"
    MODEL_EDIT = "model:edit"
    MODEL_ALIAS = "model:alias"

    TOKEN_REVOKE = "token:revoke"


@dataclass(frozen=True)
class Person:
    """Who asks. A deactivated person holds nothing."""

    id: int
    role: str
    active: bool = True

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"unknown role {self.role!r}")


@dataclass(frozen=True)
class SiteFacts:
    """The site as a whole."""


@dataclass(frozen=True)
class AppFacts:
    """An App: `lab_visible` is 공개; logs are for others only with `share_logs` too."""

    owner_id: int
    lab_visible: bool
    share_logs: bool = False
    co_editors: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class WorkloadFacts:
    """A workload; what one may see of it follows its App. `share_logs` is its owner's own tick, beside the App's (D6);
    `active_admins` counts the site's active admins (D12).
    """

    owner_id: int
    app: AppFacts
    state: State
    needs_approval: bool = False
    share_logs: bool = False
    active_admins: int = 2


@dataclass(frozen=True)
class ModelFacts:
    """A stored model; `owner_id` is its workload's."""

    owner_id: int
    app: AppFacts


@dataclass(frozen=True)
class ComponentFacts:
    """A component of the library: everybody sees it, its owner and admins change it."""

    owner_id: int


@dataclass(frozen=True)
class OperatorFacts:
    """A saved Operator: it is its owner's; with the results of a run that one sees comes a look at what made them."""

    owner_id: int


@dataclass(frozen=True)
class AnalysisFacts:
    """An analysis; `owner_id` is its workload's, and what one may see of it follows the App (D6)."""

    owner_id: int
    app: AppFacts


@dataclass(frozen=True)
class TokenFacts:
    """An API token."""

    owner_id: int


Object = SiteFacts | AppFacts | WorkloadFacts | ModelFacts | ComponentFacts | OperatorFacts | AnalysisFacts | TokenFacts
SITE = SiteFacts()


def may(person: Person, permission: Permission, thing: Object = SITE) -> bool:
    """Whether `person` holds `permission` on `thing` as it is now."""
    return permission in granted(person, thing)


def granted(person: Person, thing: Object = SITE) -> frozenset[Permission]:
    """Every permission that `person` holds on `thing` as it is now."""
    return frozenset(_granted(thing, person)) if person.active else frozenset()


@singledispatch
def _granted(thing: Object, _: Person) -> set[Permission]:
    raise TypeError(f"no permissions are defined on {type(thing).__name__}")


@_granted.register
def _on_site(_: SiteFacts, person: Person) -> set[Permission]:
    held = {
        Permission.CLUSTER_READ,
        Permission.QUEUE_READ,
        Permission.IMAGE_READ,
        Permission.COMPONENT_READ,
        Permission.TOKEN_CREATE,
    }
    if person.role != VIEWER:
        held |= {
            Permission.APP_CREATE,
            Permission.APPROVALS_READ,
            Permission.COMPONENT_CREATE,
            Permission.IMAGE_CHECK,
            Permission.OPERATOR_CREATE,
        }
    if person.role == ADMIN:
        held |= {
            Permission.USER_MANAGE,
            Permission.AUDIT_READ,
            Permission.IMAGE_REMOVE,
            Permission.CLUSTER_CHECK,
            Permission.CLUSTER_REPAIR,
            Permission.MAINTENANCE_SWITCH,
            Permission.SETTINGS_CHANGE,
        }
    return held


@_granted.register
def _on_app(app: AppFacts, person: Person) -> set[Permission]:
    owns = person.role == ADMIN or person.id == app.owner_id
    edits = owns or person.id in app.co_editors
    if not edits and not app.lab_visible:
        return set()
    held = {Permission.APP_READ}
    if person.role == VIEWER:
        return held
    held.add(Permission.APP_SUBMIT)
    if edits:
        held.add(Permission.APP_EDIT)
    if owns:
        held |= {Permission.APP_ARCHIVE, Permission.APP_SHARE}
    return held


@_granted.register
def _on_workload(workload: WorkloadFacts, person: Person) -> set[Permission]:
    admin, owns = person.role == ADMIN, person.id == workload.owner_id
    if not (owns or _reads(workload.app, person)):
        return set()
    held = {Permission.WORKLOAD_READ}
    insider = owns or admin or person.id in {workload.app.owner_id, *workload.app.co_editors}
    if insider or workload.share_logs or workload.app.share_logs:
        held.add(Permission.WORKLOAD_LOGS)
    if person.role == VIEWER:
        return held
    if insider:
        held.add(Permission.WORKLOAD_ARCHIVE)
    if owns:
        held.add(Permission.WORKLOAD_FILES)
    if _on_app(workload.app, person) & {Permission.APP_SUBMIT} and (owns or admin):
        held.add(Permission.WORKLOAD_RERUN)
    if (owns or admin) and workload.state in LIVE:
        held.add(Permission.WORKLOAD_CANCEL)
    if owns and workload.state is State.COMPLETED:
        # Its owner alone: an Operator runs as the owner's Unix user, so nobody else's program may be started there.
        held.add(Permission.WORKLOAD_ANALYSE)
    if workload.state is State.AWAITING_APPROVAL:
        held |= _on_request(workload, person)
    if admin and workload.state is State.QUEUED:
        held |= {Permission.WORKLOAD_PRIORITISE, Permission.WORKLOAD_HOLD}
    return held


def _on_request(workload: WorkloadFacts, person: Person) -> set[Permission]:
    """While a request waits for its decision. Nobody decides on one's own request, unless there is only one admin."""
    admin, owns = person.role == ADMIN, person.id == workload.owner_id
    held: set[Permission] = set()
    if owns:
        held.add(Permission.WORKLOAD_EDIT)
    if (owns or admin) and workload.needs_approval:
        held.add(Permission.WORKLOAD_TEST)
    if admin and (not owns or workload.active_admins <= 1):
        held |= {Permission.WORKLOAD_APPROVE, Permission.WORKLOAD_REJECT}
    return held


@_granted.register
def _on_model(model: ModelFacts, person: Person) -> set[Permission]:
    owns = person.id == model.owner_id
    if not (owns or _reads(model.app, person)):
        return set()
    held = {Permission.MODEL_READ}
    if person.role != VIEWER:
        held.add(Permission.MODEL_DOWNLOAD)
        if owns or person.role == ADMIN:
            held |= {Permission.MODEL_EDIT, Permission.MODEL_ALIAS}
        if Permission.APP_EDIT in _on_app(model.app, person):
            held.add(Permission.MODEL_ALIAS)
    return held


@_granted.register
def _on_component(component: ComponentFacts, person: Person) -> set[Permission]:
    held = {Permission.COMPONENT_READ}
    if person.role == ADMIN or (person.role != VIEWER and person.id == component.owner_id):
        held.add(Permission.COMPONENT_EDIT)
    return held


@_granted.register
def _on_operator(operator: OperatorFacts, person: Person) -> set[Permission]:
    if person.role == VIEWER or person.id != operator.owner_id:
        return {Permission.OPERATOR_READ} if person.role == ADMIN else set()
    return {Permission.OPERATOR_READ, Permission.OPERATOR_EDIT}


@_granted.register
def _on_analysis(analysis: AnalysisFacts, person: Person) -> set[Permission]:
    if not (person.id == analysis.owner_id or _reads(analysis.app, person)):
        return set()
    return {Permission.ANALYSIS_READ} | (set() if person.role == VIEWER else {Permission.ANALYSIS_DOWNLOAD})


@_granted.register
def _on_token(token: TokenFacts, person: Person) -> set[Permission]:
    return {Permission.TOKEN_REVOKE} if person.role == ADMIN or person.id == token.owner_id else set()


def _reads(app: AppFacts, person: Person) -> bool:
    return Permission.APP_READ in _on_app(app, person)
