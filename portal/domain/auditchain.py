"""The audit log's hash chain: what a row's digest is, a batch's, and the seal that ties a batch to the one before. No IO.

    seal.head = sha256(number, sealed_at, closes_at, newest_at, rows, rows_sha256, previous.head)
    seal.rows_sha256 = sha256(every member: row id, time, class, row digest; by row id)

Who belongs to a seal is written down row by row, so gaps in the ids and transactions that commit late do no harm: a row
with a low id that appears late goes under the next seal. `closes_at` is how far back that goes: a row that is older
and under no seal was not written by the portal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

FIRST_PREVIOUS = "0" * 64
"""What the first seal is tied to."""
LATE = timedelta(hours=1)
"""Longer than any transaction is open, and than the clocks of the portal's machines differ."""


class Keeping(StrEnum):
    """How long rows are kept; each class but the last has a number of days in the settings."""

    CHANGES = "changes"
    RUNS = "runs"
    ACCESS = "access"
    EVER = "ever"


@dataclass(frozen=True)
class Member:
    """One row under a seal: when it was written, its class, and the digest of its content."""

    row_id: int
    at: datetime
    keeping: Keeping
    sha256: str


@dataclass(frozen=True)
class Seal:
    """One link: `rows` rows, the newest of them from `newest_at`; None where there is none."""

    number: int
    sealed_at: datetime
    closes_at: datetime | None
    newest_at: datetime | None
    rows: int
    rows_sha256: str
    previous: str

    @property
    def head(self) -> str:
        """The hash that stands for this seal and all before it."""
        return _sha256(
            {
                "number": self.number,
                "sealed_at": moment(self.sealed_at),
                "closes_at": moment(self.closes_at),
                "newest_at": moment(self.newest_at),
                "rows": self.rows,
                "rows_sha256": self.rows_sha256,
                "previous": self.previous,
            }
        )


@dataclass(frozen=True)
class Expiry:
    """One expiry as the log itself tells it: rows of a class older than its cutoff are gone since."""

    row_id: int
    cutoffs: Mapping[Keeping, datetime]

    def covers(self, member: Member) -> bool:
        """Whether this is where the row went."""
        cutoff = self.cutoffs.get(member.keeping)
        return cutoff is not None and member.at < cutoff

    def covers_whole(self, seal: Seal) -> bool:
        """Whether every row that the seal can hold went."""
        return seal.newest_at is not None and all(
            keeping in self.cutoffs and seal.newest_at < self.cutoffs[keeping]
            for keeping in Keeping
            if keeping is not Keeping.EVER
        )


def next_seal(
    last: Seal | None, members: Iterable[Member], looked_at: datetime, *, all_of_them: bool
) -> tuple[Seal, list[Member]]:
    """The seal after `last`, of rows that were looked for at `looked_at`, and its rows in order.

    `all_of_them`: no other row was without a seal at that moment, so time closes behind it.
    """
    ordered = sorted(members, key=lambda member: member.row_id)
    marks = [last.closes_at if last else None, looked_at - LATE if all_of_them else None]
    seal = Seal(
        number=last.number + 1 if last else 1,
        sealed_at=looked_at,
        closes_at=max((mark for mark in marks if mark is not None), default=None),
        newest_at=max((member.at for member in ordered), default=None),
        rows=len(ordered),
        rows_sha256=members_sha256(ordered),
        previous=last.head if last else FIRST_PREVIOUS,
    )
    return seal, ordered


def row_sha256(columns: Mapping[str, Any]) -> str:
    """The digest of one row as the database gives it back. It never fails: a row that cannot be sealed would stop them all."""
    return _sha256({name: moment(value) if isinstance(value, datetime) else value for name, value in columns.items()})


def members_sha256(members: Iterable[Member]) -> str:
    """The digest of a batch, in the order given."""
    digest = hashlib.sha256()
    for member in members:
        digest.update(f"{member.row_id} {moment(member.at)} {member.keeping} {member.sha256}\n".encode())
    return digest.hexdigest()


def moment(at: datetime | None) -> str | None:
    """A time as it is hashed: UTC with microseconds, on every database alike."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else None


def _sha256(document: Mapping[str, Any]) -> str:
    """ASCII escapes and NaN as Python writes it: whatever a database gives back has a digest."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
