"""From rows to the facts that permissions are decided on, and the refusal when one is missing."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import (
    Analysis,
    App,
    AppEditor,
    Attempt,
    Component,
    Model,
    Operator,
    SlurmJob,
    Token,
    User,
    Workload,
)
from portal.domain.approval import Thresholds
from portal.domain.lifecycle import State
from portal.domain.permissions import (
    ADMIN,
    RESEARCHER,
    SITE,
    VIEWER,
    AnalysisFacts,
    AppFacts,
    ComponentFacts,
    ModelFacts,
    Object,
    OperatorFacts,
    Permission,
    Person,
    TokenFacts,
    WorkloadFacts,
    may,
)
from portal.services.audit import Actor
from portal.services.errors import Forbidden, NotFound
from portal.settings import Settings
from slurm.ids import JobId, parse_job_id
from slurm.submission import MAX_COMPONENTS
from slurm.units import memory_mib

SHARE_LOGS = "share_logs"
"""The option of a workload whose owner lets everybody who sees it read its logs (D6)."""
MAX_SLURM_ID = 2**31 - 1
"""Beyond what the column holds; Slurm's own MaxJobId is smaller."""


def thresholds(settings: Settings) -> Thresholds:
    """The site's approval thresholds."""
    return Thresholds(gpus=settings.policy.approval_gpus, memory_mib=memory_mib(settings.policy.approval_memory))


def person_of(actor: Actor) -> Person:
    """The person behind a request. Raises Forbidden for parts of the portal, which hold no permissions."""
    if actor.user_id is None:
        raise Forbidden("no_person", "Only a person can do this.", "사람만 할 수 있는 작업입니다.")
    return Person(id=actor.user_id, role=actor.role)


def app_facts(app: App) -> AppFacts:
    """What permissions look at in an App."""
    return AppFacts(app.owner_id, app.visibility == "lab", app.share_logs, app.co_editors)


def workload_facts(workload: Workload, active_admins: int = 2) -> WorkloadFacts:
    """What permissions look at in a workload; `active_admins` matters only for deciding about requests (D12)."""
    return WorkloadFacts(
        owner_id=workload.owner_id,
        app=app_facts(workload.app),
        state=State(workload.state),
        needs_approval=workload.needs_approval,
        share_logs=bool(workload.options.get(SHARE_LOGS)),
        active_admins=active_admins,
    )


def model_facts(model: Model) -> ModelFacts:
    """What permissions look at in a stored model."""
    return ModelFacts(model.workload.owner_id, app_facts(model.workload.app))


def component_facts(component: Component) -> ComponentFacts:
    """What permissions look at in a component of the library."""
    return ComponentFacts(component.owner_id)


def operator_facts(operator: Operator) -> OperatorFacts:
    """What permissions look at in a saved Operator."""
    return OperatorFacts(operator.owner_id)


def analysis_facts(analysis: Analysis) -> AnalysisFacts:
    """What permissions look at in an analysis."""
    return AnalysisFacts(analysis.run.owner_id, app_facts(analysis.run.app))


def token_facts(token: Token) -> TokenFacts:
    """What permissions look at in a token."""
    return TokenFacts(token.user_id)


async def active_admins(session: AsyncSession) -> int:
    """How many admins can sign in."""
    query = select(func.count()).select_from(User).where(User.role == ADMIN, User.active)
    return await session.scalar(query) or 0


async def readable_workload(session: AsyncSession, actor: Actor, workload_id: str) -> Workload:
    """One workload, by its own id or that of one of its Slurm jobs ("123", "123+1").

    Raises NotFound when it is absent or the actor may not see it.
    """
    workload = await session.get(Workload, await _own_id(session, workload_id))
    if workload is None or not may(person_of(actor), Permission.WORKLOAD_READ, workload_facts(workload)):
        raise NotFound("workload", workload_id)
    return workload


async def _own_id(session: AsyncSession, text: str) -> str:
    """The workload's id; what is no Slurm job id, or none of the portal's, stays as it is."""
    try:
        wanted = parse_job_id(text)
    except ValueError:
        return text
    return await job_of_slurm(session, wanted) or text


async def job_of_slurm(session: AsyncSession, wanted: JobId) -> str | None:
    """The id of the workload that this Slurm job belongs to. Slurm uses numbers again one day: the newest row counts."""
    number = wanted.numeric
    if number > MAX_SLURM_ID:
        return None
    query = (
        select(SlurmJob, Attempt.workload_id)
        .join(Attempt, SlurmJob.attempt_id == Attempt.id)
        .where(SlurmJob.leader_id <= number, SlurmJob.leader_id > number - MAX_COMPONENTS)
        .order_by(SlurmJob.id.desc())
    )
    for job, workload_id in await session.execute(query):
        if number in job.component_ids and wanted.offset in {None, number - (job.leader_id or 0)}:
            return workload_id
    return None


def allowed(actor: Actor, permission: Permission, thing: Object = SITE) -> bool:
    """Whether the actor may; `portal-admin` and the daemon (no person behind them) may everything."""
    return actor.user_id is None or may(person_of(actor), permission, thing)


def demand(actor: Actor, permission: Permission, thing: Object = SITE, *, role: str = ADMIN) -> None:
    """Raises Forbidden, naming the role that could, unless the actor holds `permission` on `thing` as it is now."""
    if not allowed(actor, permission, thing):
        raise role_missing(role)


_ROLE_NAMES = {ADMIN: ("admin", "관리자"), RESEARCHER: ("researcher", "연구원"), VIEWER: ("viewer", "뷰어")}


def role_missing(role: str) -> Forbidden:
    """The one answer to a missing role."""
    english, korean = _ROLE_NAMES[role]
    return Forbidden(
        "role_missing",
        f"Not permitted. This needs the {english} role.",
        f"권한이 없습니다. 이 작업에는 {korean} 역할이 필요합니다.",
    )


def visible_apps(actor: Actor) -> ColumnElement[bool]:
    """APP_READ for queries that have App joined: lab-visible ones, one's own and co-edited ones, all for admins (D6)."""
    if actor.user_id is None or actor.role == ADMIN:
        return true()
    edited = select(AppEditor.app_id).where(AppEditor.user_id == actor.user_id)
    return or_(App.visibility == "lab", App.owner_id == actor.user_id, App.id.in_(edited))


def visible_workloads(actor: Actor) -> ColumnElement[bool]:
    """WORKLOAD_READ for queries that have App joined: those of visible Apps and one's own."""
    return or_(visible_apps(actor), Workload.owner_id == actor.user_id)
