"""Verifies the audit log: every row against its seal, every seal against the one before, the chain against the heads in S3."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.engine import Sessions
from portal.db.models import Audit, AuditSeal, AuditSealRow
from portal.domain.auditchain import FIRST_PREVIOUS, Expiry, Member, Seal, members_sha256, moment
from portal.domain.auditfindings import ChainFinding, Code
from portal.services import auditseals
from portal.services.auditexpiry import expiries
from portal.services.auditseals import Head, member_of, seal_of, sealed_member
from portal.store import layout
from portal.store.s3 import ObjectStore, StoreError

SEALS_AT_ONCE, ROWS_AT_ONCE = 100, 2000
NAMED = 200
"""Findings that are written down; the others are counted."""
HEAD_EVERY = timedelta(days=2)
"""The daemon writes a head a day; where the newest is older than this beside the chain, heads are missing."""
Sealed = tuple[Member, Audit | None]


@dataclass
class Verified:
    """What a verification looked at and found; `head` is the chain's head, at seal `seals`."""

    rows: int = 0
    expired: int = 0
    unsealed: int = 0
    seals: int = 0
    heads: int = 0
    head: str = FIRST_PREVIOUS
    sealed_at: datetime | None = None
    more: int = 0
    findings: list[ChainFinding] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Nothing is wrong, and everything could be compared."""
        return not self.findings

    def add(self, code: Code, *, row: int | None = None, seal: int | None = None, detail: str = "") -> None:
        """One thing more that is wrong."""
        if len(self.findings) < NAMED:
            self.findings.append(ChainFinding(code, row, seal, detail))
        else:
            self.more += 1

    def as_json(self) -> dict[str, Any]:
        """For the database and the API."""
        counts = {
            name: getattr(self, name) for name in ("rows", "expired", "unsealed", "seals", "heads", "head", "more")
        }
        findings = [finding.as_json() for finding in self.findings]
        return {"intact": self.intact, **counts, "sealedAt": moment(self.sealed_at), "findings": findings}


async def verify(maker: Sessions, store: ObjectStore) -> Verified:
    """Read the whole log once, some seals at a time; it may grow and expire meanwhile."""
    found = Verified()
    heads = await _heads(store, found)
    walk = _Walk(found, {head.number for head in heads or ()})
    while True:
        async with maker() as session:
            seals = await _seals(session, walk.last)
            if not seals:
                break
            members = await _members(session, seals[0].number, seals[-1].number)
            gone = expiries if any(row is None for pairs in members.values() for _, row in pairs) else _nothing
            walk.expiries = await gone(session)
            for row in seals:
                await walk.take(session, row, members.get(row.number, ()))
    async with maker() as session:
        await _strangers(session, walk.last, found)
    if heads is not None:
        walk.compare(heads)
    return found


async def _nothing(_: AsyncSession) -> tuple[Expiry, ...]:
    return ()


class _Walk:
    """Seal after seal from the first; `known` keeps the heads at the numbers that S3 has."""

    def __init__(self, found: Verified, wanted: set[int]) -> None:
        self.found = found
        self.wanted = wanted
        self.known: dict[int, str] = {}
        self.began: datetime | None = None
        self.last: Seal | None = None
        self.ends = {FIRST_PREVIOUS}
        self.expiries: Sequence[Expiry] = ()

    async def take(self, session: AsyncSession, row: AuditSeal, members: Sequence[Sealed]) -> None:
        """The next seal that is there, with its rows."""
        seal, expected = seal_of(row), self.last.number + 1 if self.last else 1
        for number in range(expected, seal.number):
            self.found.add(Code.SEAL_MISSING, seal=number)
        follows = seal.number != expected or seal.previous in self.ends
        if seal.head != row.head or not follows:
            self.found.add(Code.SEAL_CHANGED, seal=seal.number)
        if members or not seal.rows:
            self._rows(seal, members)
        else:
            self.expiries = self.expiries or await expiries(session)
            self._gone_whole(seal)
        self.began = self.began or seal.sealed_at
        self.last, self.found.seals = seal, seal.number
        self.found.head, self.found.sealed_at = seal.head, seal.sealed_at
        self.ends = {seal.head, row.head}  # where they differ it was said, once
        if seal.number in self.wanted:
            self.known[seal.number] = seal.head

    def _rows(self, seal: Seal, members: Sequence[Sealed]) -> None:
        sealed = [member for member, _ in members]
        if members_sha256(sealed) != seal.rows_sha256:
            ids = f"{sealed[0].row_id} … {sealed[-1].row_id}" if sealed else "—"
            self.found.add(Code.LIST_CHANGED, seal=seal.number, detail=ids)
        for member, present in members:
            if present is not None and member_of(present) == member:
                self.found.rows += 1
            elif present is not None:
                self.found.add(Code.ROW_CHANGED, row=member.row_id, seal=seal.number)
            elif any(expiry.covers(member) for expiry in self.expiries):
                self.found.expired += 1
            else:
                self.found.add(Code.ROW_MISSING, row=member.row_id, seal=seal.number, detail=moment(member.at) or "")

    def _gone_whole(self, seal: Seal) -> None:
        if any(expiry.covers_whole(seal) for expiry in self.expiries):
            self.found.expired += seal.rows
        else:
            self.found.add(Code.LIST_CHANGED, seal=seal.number, detail=f"{seal.rows} → 0")

    def compare(self, heads: Sequence[Head]) -> None:
        """The chain beside what was written down elsewhere while it grew."""
        for head in heads:
            if head.number > self.found.seals:
                self.found.add(Code.CHAIN_CUT, seal=head.number, detail=head.key)
            elif self.known.get(head.number) != head.head:
                self.found.add(Code.CHAIN_REWRITTEN, seal=head.number, detail=head.key)
        if self.last is None or self.began is None or self.last.sealed_at - self.began < HEAD_EVERY:
            return
        oldest = layout.audit_head((self.last.sealed_at - HEAD_EVERY).astimezone(UTC).date())
        newest = heads[-1].key if heads else ""
        if newest < oldest:
            self.found.add(Code.HEADS_MISSING, detail=newest or "—")


async def _heads(store: ObjectStore, found: Verified) -> list[Head] | None:
    try:
        heads = await auditseals.heads(store)
    except (StoreError, LookupError, TypeError, ValueError) as error:
        found.add(Code.HEADS_NOT_COMPARED, detail=f"{error}"[:200])
        return None
    found.heads = len(heads)
    return heads


async def _seals(session: AsyncSession, last: Seal | None) -> list[AuditSeal]:
    """The next ones, with some thousand rows together."""
    query = select(AuditSeal).where(AuditSeal.number > (last.number if last else 0))
    found: list[AuditSeal] = []
    rows = 0
    for seal in await session.scalars(query.order_by(AuditSeal.number).limit(SEALS_AT_ONCE)):
        found.append(seal)
        rows += seal.rows
        if rows >= ROWS_AT_ONCE:
            break
    return found


async def _members(session: AsyncSession, first: int, last: int) -> Mapping[int, Sequence[Sealed]]:
    query = (
        select(AuditSealRow, Audit)
        .outerjoin(Audit, Audit.id == AuditSealRow.row_id)
        .where(AuditSealRow.seal.between(first, last))
        .order_by(AuditSealRow.row_id)
    )
    found: dict[int, list[Sealed]] = defaultdict(list)
    for member, row in await session.execute(query):
        found[member.seal].append((sealed_member(member), row))
    return found


async def _strangers(session: AsyncSession, last: Seal | None, found: Verified) -> None:
    """What is under no seal: rows that wait for the next one, and rows that claim to be from before the last."""
    closes_at = last.closes_at if last else None
    waiting = auditseals.unsealed(last)
    found.unsealed = await session.scalar(select(func.count()).select_from(waiting.subquery())) or 0
    if closes_at is None:
        return
    strange = auditseals.without_seal().where(Audit.at < closes_at).order_by(Audit.id)
    for row in await session.scalars(strange.limit(10 * NAMED)):
        found.add(Code.ROW_INSERTED, row=row.id, detail=moment(row.at) or "")
