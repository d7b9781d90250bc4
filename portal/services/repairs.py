"""Repairs: an admin takes a side of a mismatch, the daemon acts (only it reaches Slurm), and what came of it stays to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Checkup, Repair, now
from portal.domain.findings import Finding
from portal.domain.permissions import Permission
from portal.domain.repairs import Offer, offer_of
from portal.services import doctor
from portal.services.access import demand
from portal.services.audit import DAEMON, Action, Actor, record
from portal.services.errors import Conflict, NotFound

WANTED, DONE, AGREED, REFUSED = "wanted", "done", "agreed", "refused"
SHOWN = 20
OBJECT = "repair"


async def offered(session: AsyncSession, actor: Actor, code: str, object_id: str, side: str) -> tuple[Finding, Offer]:
    """The finding of the newest comparison and what taking this side does. Raises Forbidden, NotFound, Conflict."""
    demand(actor, Permission.CLUSTER_REPAIR)
    finding = next((one for one in await _findings(session) if (one.code, one.id) == (code, object_id)), None)
    if finding is None:
        raise NotFound("mismatch", f"{code} {object_id}")
    offer = offer_of(finding, side)
    if offer is None:
        raise Conflict(
            "no_repair",
            "This cannot be mended by a click: do what stands beside it.",
            "버튼으로 고칠 수 없습니다. 옆에 적힌 대로 처리하세요.",
        )
    return finding, offer


async def ask(session: AsyncSession, actor: Actor, code: str, object_id: str, side: str) -> Repair:
    """Have the daemon do it; one that is not done yet is given again. Raises as `offered`."""
    finding, offer = await offered(session, actor, code, object_id, side)
    same = (Repair.state == WANTED, Repair.code == code, Repair.object_id == object_id)
    waiting: Repair | None = await session.scalar(select(Repair).where(*same).order_by(Repair.id))
    if waiting is not None:
        return waiting
    repair = Repair(
        asked_by_id=actor.user_id, code=code, object_id=object_id, workload_id=finding.about, side=offer.side.value
    )
    session.add(repair)
    await session.flush()
    await session.refresh(repair, ["asked_by"])
    facts = {"mismatch": code, "object": object_id, "side": offer.side.value, "workload": finding.about}
    before = {"portal": finding.portal, finding.system: finding.other}
    record(session, actor, Action.REPAIR_ASK, OBJECT, str(repair.id), before=before, after=facts)
    return repair


async def get(session: AsyncSession, actor: Actor, repair_id: int) -> Repair:
    """One. Raises Forbidden, NotFound."""
    demand(actor, Permission.CLUSTER_REPAIR)
    repair = await session.get(Repair, repair_id)
    if repair is None:
        raise NotFound(OBJECT, str(repair_id))
    return repair


async def newest(session: AsyncSession, actor: Actor) -> Sequence[Repair]:
    """The newest first. Raises Forbidden."""
    demand(actor, Permission.CLUSTER_REPAIR)
    return (await session.scalars(select(Repair).order_by(Repair.id.desc()).limit(SHOWN))).unique().all()


async def wanted(session: AsyncSession) -> Sequence[Repair]:
    """What the daemon is to do, the oldest first."""
    return (await session.scalars(select(Repair).where(Repair.state == WANTED).order_by(Repair.id))).unique().all()


async def finish(session: AsyncSession, repair: Repair, state: str, result: str = "", backend: str = "") -> None:
    """Keep what came of it, audited."""
    repair.state, repair.result, repair.done_at = state, result, now()
    after: Mapping[str, str] = {"state": state, "result": result, "side": repair.side, "mismatch": repair.code}
    outcome = "refused" if state == REFUSED else "ok"
    record(
        session,
        DAEMON,
        Action.REPAIR_DONE,
        OBJECT,
        str(repair.id),
        after=dict(after),
        result=outcome,
        backend=backend,
    )


async def _findings(session: AsyncSession) -> Sequence[Finding]:
    query = select(Checkup).where(Checkup.state == doctor.DONE, Checkup.reconcile).order_by(Checkup.id.desc()).limit(1)
    checkup: Checkup | None = await session.scalar(query)
    return tuple(doctor.findings_of(checkup)) if checkup is not None else ()
