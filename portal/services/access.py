"""Asks `portal.domain.permissions` about rows: may this actor do that to this thing, and who answers what when not."""

from __future__ import annotations

from functools import singledispatch

from sqlalchemy import ColumnElement, or_, true

from portal.db.models import App, Base, Model, Token, Workload
from portal.domain.lifecycle import State
from portal.domain.permissions import (
    ADMIN,
    SITE,
    AppFacts,
    ModelFacts,
    Object,
    Permission,
    Person,
    TokenFacts,
    WorkloadFacts,
    may,
)
from portal.services.audit import Actor
from portal.services.errors import Forbidden


def allowed(actor: Actor, permission: Permission, thing: Object = SITE) -> bool:
    """Whether the actor may; the portal's own parts (daemon, portal-admin) may everything."""
    return actor.user_id is None or may(Person(actor.user_id, actor.role), permission, thing)


def demand(actor: Actor, permission: Permission, thing: Object = SITE, *, role: str = ADMIN) -> None:
    """Raises Forbidden unless the actor may; `role` names the role that could."""
    if not allowed(actor, permission, thing):
        raise role_missing(role)


def role_missing(role: str) -> Forbidden:
    """The one answer to a missing role (pages.md P26)."""
    korean = {"admin": "관리자", "researcher": "연구원", "viewer": "뷰어"}[role]
    return Forbidden(
        "role_missing",
        f"Not permitted. This needs the {role} role.",
        f"권한이 없습니다. 이 작업에는 {korean} 역할이 필요합니다.",
    )


@singledispatch
def facts_of(row: Base) -> Object:
    """What the permission rules ask about a row."""
    raise TypeError(f"no permissions are defined on {type(row).__name__}")


@facts_of.register
def app_facts(app: App) -> AppFacts:
    """An App's."""
    return AppFacts(app.owner_id, lab_visible=app.visibility == "lab", share_logs=app.share_logs)


@facts_of.register
def workload_facts(workload: Workload, active_admins: int = 2) -> WorkloadFacts:
    """A workload's; `active_admins` matters for decisions only (D12)."""
    return WorkloadFacts(
        workload.owner_id,
        app_facts(workload.app),
        State(workload.state),
        needs_approval=workload.needs_approval,
        active_admins=active_admins,
    )


@facts_of.register
def model_facts(model: Model) -> ModelFacts:
    """A stored model's."""
    return ModelFacts(model.workload.owner_id, app_facts(model.workload.app))


@facts_of.register
def token_facts(token: Token) -> TokenFacts:
    """A token's."""
    return TokenFacts(token.user_id)


def visible_apps(actor: Actor) -> ColumnElement[bool]:
    """The same rule for queries that have App joined: lab-visible ones, one's own, all for admins (D6)."""
    if actor.user_id is None or actor.role == ADMIN:
        return true()
    return or_(App.visibility == "lab", App.owner_id == actor.user_id)


def visible_workloads(actor: Actor) -> ColumnElement[bool]:
    """Workloads (App joined) that one may see: those of visible Apps and one's own."""
    return or_(visible_apps(actor), Workload.owner_id == actor.user_id)
