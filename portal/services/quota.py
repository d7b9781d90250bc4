"""How many of a user's requests may wait at once: counted in the database, exactly, however many processes ask."""

from __future__ import annotations

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import User, Workload
from portal.domain.lifecycle import State
from portal.services.errors import TooMany
from portal.settings import Settings

PENDING = (State.SUBMITTED, State.AWAITING_APPROVAL, State.QUEUED)
"""Live and not yet running."""
TEST = "test"
RETRY_AFTER_S = 60


async def one_at_a_time(session: AsyncSession, owner: User) -> None:
    """Lock the owner's row until the transaction ends: two requests at once cannot both take the last place.

    On SQLite this does nothing, and the second of two writers fails instead.
    """
    await session.execute(select(User.id).where(User.id == owner.id).with_for_update(key_share=True, of=User))


async def waiting_of(session: AsyncSession, owner_id: int) -> int:
    """How many of this user's requests wait now."""
    return await session.scalar(select(waiting_query(owner_id))) or 0


def waiting_query(owner_id: int) -> ScalarSelect[int]:
    """The same as a part of a query."""
    waiting = select(func.count()).select_from(Workload)
    mine = waiting.where(Workload.owner_id == owner_id, Workload.state.in_(PENDING), Workload.kind != TEST)
    return mine.scalar_subquery()


async def demand_room_for_one(session: AsyncSession, settings: Settings, owner: User) -> None:
    """Raises TooMany when `owner` has as many waiting requests as one may have; `one_at_a_time` goes before.

    Minimal run tests do not count: each belongs to a request that does.
    """
    refuse_too_many(settings, await waiting_of(session, owner.id))


def refuse_too_many(settings: Settings, count: int) -> None:
    """As `demand_room_for_one`, for a count that is known."""
    most = settings.limits.pending_workloads
    if count < most:
        return
    raise TooMany(
        "pending_workloads",
        f"{count} of your workloads wait already; {most} may (limits.pending_workloads). "
        "Cancel some (`one list --mine --state queued`), or submit again when one has started.",
        f"대기 중인 워크로드가 이미 {count}건입니다 (한도 {most}건, limits.pending_workloads). "
        "일부를 취소하거나(`one list --mine --state queued`), 하나가 시작된 뒤 다시 제출하세요.",
        retry_after_s=RETRY_AFTER_S,
    )
