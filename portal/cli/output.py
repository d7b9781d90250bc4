"""What `one` prints: tables for people, JSON for programs, nothing that a terminal would obey."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from shutil import get_terminal_size
from typing import Any

_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_]|.)?", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
GAP = "  "
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")


class Format(StrEnum):
    """How a command answers."""

    TEXT = "text"
    JSON = "json"


def print_json(document: Any) -> None:
    """The document, indented, as the API sent it."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_line(text: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(text + "\n")


def print_note(text: str) -> None:
    """One line on stderr: what is not the command's result."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table without frames; into a pipe no colour and nothing is cut."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if not _print_as_it_is([list(heads), *cells], bold=[(0, column) for column in range(len(heads))]):
        _print_folded(heads, cells)


def print_fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, one pair a line; empty values are left out."""
    cells = [[name, plain(value)] for name, value in pairs if value not in (None, "")]
    if not _print_as_it_is(cells, bold=[(row, 0) for row in range(len(cells))]):
        _print_folded((), cells)


def _print_as_it_is(cells: Sequence[Sequence[str]], bold: Collection[tuple[int, int]]) -> bool:
    """Columns of their natural width, where they fit; tables of rich cost as much as all else of `one list` together."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    if sys.stdout.isatty() and sum(widths) + len(GAP) * (len(widths) - 1) > get_terminal_size().columns:
        return False
    bold = frozenset(bold) if coloured() else frozenset()
    for number, row in enumerate(cells):
        texts = [f"\x1b[1m{text}\x1b[0m" if (number, column) in bold else text for column, text in enumerate(row)]
        gaps = [" " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        sys.stdout.write(GAP.join(map("".join, zip(texts, gaps, strict=True))).rstrip() + "\n")
    return True


def _print_folded(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    """In a terminal that is too narrow; without heads the first column is never folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    strong = "bold" if coloured() else ""
    table = Table(box=None, pad_edge=False, header_style=strong, show_header=bool(heads))
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    if not heads:
        table.add_column(style=strong, no_wrap=True)
        table.add_column(overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, no_color=not coloured())
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def plain(value: object) -> str:
    """One printable line: other people's words must not move the cursor."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else " " for char in text)


def for_terminal(text: str) -> str:
    """Log text with its colours but without every other control sequence."""
    kept = []
    position = 0
    for match in _SGR.finditer(text):
        kept += [_clean(text[position : match.start()]), match.group()]
        position = match.end()
    return "".join([*kept, _clean(text[position:])])


def _clean(text: str) -> str:
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def local_time(text: str | None) -> str:
    """`2026-02-09T05:30:00.000Z` -> `2026-02-09 14:30` in the reader's zone; "" for None."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


def size_text(size: int | None) -> str:
    """Bytes in 1024-based units: 15246848 -> 14.5 MB."""
    if size is None:
        return ""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def colour_of(name: str) -> str:
    """The same colour for the same name, always."""
    return _COLOURS[sum(name.encode()) % len(_COLOURS)]


def coloured() -> bool:
    """Whether stdout is a terminal that wants colours (NO_COLOR: never)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
