"""Rows as a CSV file that a spreadsheet opens as text: UTF-8 with its mark, and no cell that begins a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from litestar import Response

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARK = "\ufeff"
"""Without it spreadsheets read Korean as something else."""


def csv_file(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response[bytes]:
    """The file `name`, to keep."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response((_MARK + text.getvalue()).encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> object:
    """Numbers as they are; text that a spreadsheet would compute is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
