"""Seals the audit log batch by batch, and writes the head of the chain to S3 once a day, where no database role reaches it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.engine import Sessions, transaction
from portal.db.models import Audit, AuditSeal, AuditSealRow, now
from portal.domain.auditchain import Keeping, Member, Seal, next_seal, row_sha256
from portal.services.audit import keeping_of
from portal.store import layout
from portal.store.s3 import ObjectMissing, ObjectStore

BATCH = 500
SEAL_EVERY = timedelta(minutes=5)
EMPTY_AFTER = timedelta(hours=1)
"""Without rows too a seal is made this often: it closes the time before it."""
HEADS_BUCKET = "specs"
COLUMNS = tuple(column.key for column in Audit.__table__.columns)


@dataclass(frozen=True)
class Head:
    """The head of the chain as it lies in S3, in the object of this name."""

    key: str
    number: int
    head: str


async def newest(session: AsyncSession) -> Seal | None:
    """The last seal of the chain."""
    row = await session.scalar(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1))
    return seal_of(row) if row is not None else None


async def seal_due(maker: Sessions) -> Seal | None:
    """Seal all that has no seal, if the last one is old enough; the newest seal that was made, if any."""
    async with maker() as session:
        last = await newest(session)
    if last is not None and now() - last.sealed_at < SEAL_EVERY:
        return None
    made = None
    while True:
        async with transaction(maker) as session:
            sealed = await seal_next(session)
        made = sealed or made
        if sealed is None or sealed.rows < BATCH:
            return made


async def seal_next(session: AsyncSession) -> Seal | None:
    """Put the next batch under a seal; None where nothing waits and the last one is young."""
    last, looked_at = await newest(session), now()
    rows = list(await session.scalars(unsealed(last).order_by(Audit.id).limit(BATCH)))
    if not rows and (last is None or looked_at - last.sealed_at < EMPTY_AFTER):
        return None
    seal, members = next_seal(last, map(member_of, rows), looked_at, all_of_them=len(rows) < BATCH)
    session.add(AuditSeal(**vars(seal), head=seal.head))
    await session.flush()
    session.add_all(
        AuditSealRow(row_id=one.row_id, seal=seal.number, at=one.at, keeping=one.keeping, sha256=one.sha256)
        for one in members
    )
    return seal


def unsealed(last: Seal | None) -> Select[Audit]:
    """The rows that go under the next seal: older ones than `closes_at` were not written by the portal, and are found out."""
    query = without_seal()
    return query if last is None or last.closes_at is None else query.where(Audit.at >= last.closes_at)


def without_seal() -> Select[Audit]:
    """The rows under no seal."""
    return select(Audit).where(~exists().where(AuditSealRow.row_id == Audit.id))


def member_of(row: Audit) -> Member:
    """A row as a seal holds it: every column is in its digest."""
    columns: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    return Member(row.id, row.at, keeping_of(row.action), row_sha256(columns))


def seal_of(row: AuditSeal) -> Seal:
    """The seal as a value."""
    return Seal(row.number, row.sealed_at, row.closes_at, row.newest_at, row.rows, row.rows_sha256, row.previous)


def sealed_member(row: AuditSealRow) -> Member:
    """A row as it was sealed."""
    return Member(row.row_id, row.at, Keeping(row.keeping), row.sha256)


async def write_head(store: ObjectStore, seal: Seal) -> bool:
    """Write the head of today (UTC), unless it is written: whether this one was. Raises StoreError."""
    key = layout.audit_head(now().astimezone(UTC).date())
    try:
        await store.stat(HEADS_BUCKET, key)
    except ObjectMissing:
        document = {"number": seal.number, "head": seal.head, "sealed_at": seal.sealed_at.isoformat()}
        await store.put_json(HEADS_BUCKET, key, document)
        return True
    return False


async def heads(store: ObjectStore) -> list[Head]:
    """The heads in S3, oldest first. Raises StoreError."""
    found = []
    for listed in await store.list_keys(HEADS_BUCKET, layout.AUDIT_HEADS):
        document = await store.get_json(HEADS_BUCKET, listed.key)
        found.append(Head(listed.key, int(document["number"]), str(document["head"])))
    return found
