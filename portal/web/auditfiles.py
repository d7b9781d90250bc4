"""The audit log as a file: CSV for a spreadsheet, JSON Lines for programs; a piece for some hundreds of rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final

from portal.db.models import Audit, AuditCheck
from portal.domain.auditchain import moment
from portal.domain.auditfindings import ChainFinding

FIELDS: Final = (
    "id",
    "at",
    "actor",
    "action",
    "object_type",
    "object_id",
    "before",
    "after",
    "address",
    "request_id",
    "result",
    "backend",
)
MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
BOM = "\ufeff"
"""Without it spreadsheets take UTF-8 for the machine's own encoding."""


def audit_document(row: Audit) -> dict[str, Any]:
    """One row as JSON; times in UTC with milliseconds."""
    document = {name: getattr(row, name) for name in FIELDS}
    document["at"] = row.at.isoformat(timespec="milliseconds")
    return document


def check_document(check: AuditCheck, language: str) -> dict[str, Any]:
    """One verification as JSON; what it found is there once `state` is `done`."""
    found = dict(check.found or {})
    findings = [ChainFinding.from_json(one) for one in found.pop("findings", ())]
    return {
        "id": check.id,
        "state": check.state,
        "askedAt": moment(check.asked_at),
        "doneAt": moment(check.done_at),
        **found,
        "findings": [{**one.as_json(), "message": one.words(language)} for one in findings],
    }


async def as_csv(pieces: AsyncGenerator[list[Audit], None]) -> AsyncGenerator[bytes, None]:
    """A head line, then a line a row."""
    yield (BOM + _lines([FIELDS])).encode()
    async for rows in pieces:
        yield _lines(_cells(audit_document(row)) for row in rows).encode()


async def as_jsonl(pieces: AsyncGenerator[list[Audit], None]) -> AsyncGenerator[bytes, None]:
    """A JSON object a line."""
    async for rows in pieces:
        lines = (json.dumps(audit_document(row), ensure_ascii=False) + "\n" for row in rows)
        yield "".join(lines).encode()


def _lines(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _cells(document: dict[str, Any]) -> Iterable[str]:
    for value in document.values():
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"'{text}" if text.startswith(_FORMULA) else text
        # A text that begins like a formula would be computed by a spreadsheet (OWASP: CSV injection).
