"""Checkups: an admin asks, the daemon looks (only it reaches Slurm and S3), and what it found stays to be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Checkup, now
from portal.domain.findings import Finding
from portal.domain.permissions import Permission
from portal.services.access import demand
from portal.services.audit import Action, Actor, record
from portal.services.errors import NotFound

WANTED, LOOKING, DONE = "wanted", "looking", "done"
KEPT = 100
DEFAULT_DAYS = 7


@dataclass(frozen=True)
class Wishes:
    """What to look at: the parts alone, or also whether portal, Slurm and S3 agree about the last `days` (reconcile);

    `contents` reads every stored model file and compares its sha256.
    """

    reconcile: bool = False
    contents: bool = False
    days: int = DEFAULT_DAYS


@dataclass(frozen=True)
class Part:
    """One part of the portal: whether it does what is needed, and what it says of itself."""

    name: str
    ok: bool
    says: str


@dataclass(frozen=True)
class Result:
    """What a checkup found; `compared` counts what was looked at ("jobs": 12)."""

    parts: tuple[Part, ...]
    findings: tuple[Finding, ...]
    compared: Mapping[str, int]


async def ask(session: AsyncSession, actor: Actor, wishes: Wishes) -> Checkup:
    """Ask for a checkup; one that nobody has begun yet and that looks at the same is given again. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_CHECK)
    same = (
        Checkup.state == WANTED,
        Checkup.reconcile == wishes.reconcile,
        Checkup.contents == wishes.contents,
        Checkup.days == wishes.days,
    )
    waiting: Checkup | None = await session.scalar(select(Checkup).where(*same).order_by(Checkup.id))
    if waiting is not None:
        return waiting
    checkup = Checkup(asked_by_id=actor.user_id, **asdict(wishes))
    session.add(checkup)
    await session.flush()
    record(session, actor, Action.DOCTOR_ASK, "checkup", str(checkup.id), after=asdict(wishes))
    return checkup


async def get(session: AsyncSession, actor: Actor, checkup_id: int) -> Checkup:
    """One checkup. Raises Forbidden, NotFound."""
    demand(actor, Permission.CLUSTER_CHECK)
    checkup = await session.get(Checkup, checkup_id)
    if checkup is None:
        raise NotFound("checkup", str(checkup_id))
    return checkup


async def newest(session: AsyncSession, actor: Actor) -> Checkup:
    """The newest checkup that is done. Raises Forbidden, NotFound before the first one."""
    demand(actor, Permission.CLUSTER_CHECK)
    query = select(Checkup).where(Checkup.state == DONE).order_by(Checkup.id.desc()).limit(1)
    checkup: Checkup | None = await session.scalar(query)
    if checkup is None:
        raise NotFound("checkup", "newest")
    return checkup


async def begin(session: AsyncSession) -> list[Checkup]:
    """The daemon takes up what is wanted: each once, so that one that ends the process is not begun again."""
    wanted = list(await session.scalars(select(Checkup).where(Checkup.state == WANTED).order_by(Checkup.id)))
    for checkup in wanted:
        checkup.state = LOOKING
    return wanted


async def finish(session: AsyncSession, checkup_id: int, result: Result) -> None:
    """Keep what was found; the oldest checkups make room."""
    checkup = await session.get_one(Checkup, checkup_id)
    checkup.state, checkup.done_at = DONE, now()
    checkup.parts = [asdict(part) for part in result.parts]
    checkup.findings = [finding.as_json() for finding in result.findings]
    checkup.compared = dict(result.compared)
    await session.execute(delete(Checkup).where(Checkup.id <= checkup_id - KEPT))


def findings_of(checkup: Checkup) -> Iterable[Finding]:
    """Its findings as values."""
    return (Finding.from_json(document) for document in checkup.findings)
