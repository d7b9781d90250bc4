"""Rows that the ORM writes one by one, written together: workloads, for their revision, and rows that nobody reads back.

A flush of a hundred workloads was a hundred UPDATEs, because the ORM checks each revision by itself, and its INSERTs ask for
keys that nobody wants. Here both are one statement executed many times, which drivers send at once and servers plan once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ClauseElement, bindparam, event, insert, inspect, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history, set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from portal.db.models import Audit, Base, Event, Workload

APPENDED: Final = (Event, Audit)
"""Tables of rows that are added, and never looked at again in the transaction that adds them."""
_WAS: Final = "was_"
_COLUMNS: Final = frozenset(attribute.key for attribute in inspect(Workload).column_attrs)
_Changed = tuple[Workload, dict[str, Any]]


class TogetherSession(Session):
    """A session that flushes many rows of a kind as one statement."""


def _before_flush(session: Session, _context: Any, _objects: Any) -> None:
    _update_workloads(session)
    for kind in APPENDED:
        _insert(session, kind, [one for one in session.new if type(one) is kind])


event.listen(TogetherSession, "before_flush", _before_flush)


def _update_workloads(session: Session) -> None:
    """Raises StaleDataError, as the ORM does, when another writer was first at any of them."""
    changed = [
        (one, _changes(one)) for one in session.dirty if isinstance(one, Workload) and one not in session.deleted
    ]
    alike: dict[tuple[str, ...], list[_Changed]] = defaultdict(list)
    for workload, values in changed:
        if values and not any(isinstance(value, ClauseElement) for value in values.values()):
            alike[tuple(values)].append((workload, values))
    for names, found in alike.items():
        if len(found) > 1:
            _update(session, names, found)


def _changes(workload: Workload) -> dict[str, Any]:
    touched = sorted(_COLUMNS & inspect(workload).committed_state.keys())
    return {name: getattr(workload, name) for name in touched if get_history(workload, name).has_changes()}


def _update(session: Session, names: Sequence[str], found: Sequence[_Changed]) -> None:
    rows = [
        {f"{_WAS}id": one.id, f"{_WAS}revision": one.revision, **values, "revision": one.revision + 1}
        for one, values in sorted(found, key=lambda pair: pair[0].id)
    ]
    table = Workload.__table__
    statement = (
        update(Workload.__table__)  # type: ignore[arg-type]
        .where(table.c.id == bindparam(f"{_WAS}id"), table.c.revision == bindparam(f"{_WAS}revision"))
        .values({name: bindparam(name) for name in (*names, "revision")})
    )
    written = session.connection().execute(statement, rows).rowcount
    if written != len(rows):
        raise StaleDataError(f"{len(rows)} workloads were to be updated, {written} were still as they had been read")
    for workload, values in found:
        for name, value in {**values, "revision": workload.revision + 1}.items():
            set_committed_value(workload, name, value)


def _insert(session: Session, kind: type[Base], new: Sequence[Base]) -> None:
    rows = [{name: value for name, value in vars(one).items() if name in kind.__table__.c} for one in new]
    for one in new:
        session.expunge(one)
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        alike[tuple(row)].append(row)
    for found in alike.values():
        session.connection().execute(insert(kind.__table__), found)  # type: ignore[arg-type]
