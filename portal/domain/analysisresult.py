"""What an Operator left in /one/out, read for showing: figures, tables, charts and JSON; every other file is only kept.

    summary.json      {"mean_reward": 91.2, "verdict": "good"}: figures of the run, compared across runs
    NAME.chart.json   {"title", "x", "y", "lines": [{"name", "points": [[1, 60.1], ...]}]}: a chart
    NAME.csv          a table whose first line names the columns
    NAME.json         shown as text, set in order
    NAME.png, .jpg    an image, when its first bytes say so too (.jpeg as well)
It is the word of somebody's program: sizes are capped, and what does not fit says why instead of being shown.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SUMMARY = "summary.json"
FIGURES, CHART, TABLE, JSON, IMAGE, FILE = "figures", "chart", "table", "json", "image", "file"
IMAGES = {".png": ("image/png", b"\x89PNG\r\n\x1a\n"), ".jpg": ("image/jpeg", b"\xff\xd8\xff")}
"""Media type and first bytes. Source: https://www.w3.org/TR/png-3/#5PNG-file-signature, ITU-T T.81 annex B."""
IMAGES[".jpeg"] = IMAGES[".jpg"]
HEAD_BYTES = 16
"""Of an image: enough to tell what it is."""
MAX_IMAGE_BYTES = 8 << 20
MAX_FIGURES = 100
MAX_NAME_CHARS = 80
MAX_TEXT_CHARS = 200
MAX_LINES = 6
MAX_POINTS = 20_000
MAX_ROWS = 1000
MAX_COLUMNS = 50
MAX_CELL_CHARS = 500
MAX_SHOWN_BYTES = 1 << 20
"""Of a file that is read to be shown; a table's rows beyond it are in the file only."""
Figures = dict[str, float | str]


class Unshown(Exception):
    """A file that cannot be shown as what its name says; (English, Korean) why."""

    def __init__(self, why_en: str, why_ko: str) -> None:
        super().__init__(why_en)
        self.why_en = why_en
        self.why_ko = why_ko


@dataclass(frozen=True)
class Grid:
    """The first rows of a table; `is_cut` where the file has more, or longer cells."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_cut: bool = False


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
    points: Annotated[tuple[tuple[float, float | None], ...], Field(min_length=1, max_length=MAX_POINTS)]


class ChartDocument(BaseModel):
    """A declared chart; `x` and `y` name the axes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
    x: Annotated[str, Field(max_length=MAX_NAME_CHARS)] = ""
    y: Annotated[str, Field(max_length=MAX_NAME_CHARS)] = ""
    lines: Annotated[tuple[_Line, ...], Field(min_length=1, max_length=MAX_LINES)]


def kind_of(path: str) -> str:
    """How a result is shown, by its name: FIGURES, CHART, TABLE, JSON, IMAGE or FILE (only kept)."""
    name = path.lower()
    if path == SUMMARY:
        return FIGURES
    if name.endswith(".chart.json"):
        return CHART
    if name.endswith(".csv"):
        return TABLE
    if name.endswith(tuple(IMAGES)):
        return IMAGE
    return JSON if name.endswith(".json") else FILE


def image_type(path: str, size: int, head: bytes) -> str:
    """The media type of an image of `size` bytes that begins with `head` (HEAD_BYTES). Raises Unshown."""
    if size > MAX_IMAGE_BYTES:
        most = MAX_IMAGE_BYTES >> 20
        raise Unshown(f"it has more than {most} MB; download it", f"{most}MB보다 커서 내려받아야 합니다")
    media_type, begins = IMAGES[path[path.rfind(".") :].lower()]
    if not head.startswith(begins):
        raise Unshown(f"it is no {media_type.upper()[6:]} image", f"{media_type.upper()[6:]} 이미지가 아닙니다")
    return media_type


def figures_of(data: bytes) -> Figures:
    """The figures of a summary.json: a flat object of numbers, truths and short texts. Raises Unshown."""
    document = _json(data)
    if not isinstance(document, dict):
        raise Unshown("it is no JSON object", "JSON 객체가 아닙니다")
    if len(document) > MAX_FIGURES:
        raise Unshown(f"it has more than {MAX_FIGURES} entries", f"항목이 {MAX_FIGURES}개보다 많습니다")
    return {_name(key): _figure(key, value) for key, value in document.items()}


def chart_of(data: bytes) -> ChartDocument:
    """A declared chart. Raises Unshown naming the place."""
    document = _json(data)
    try:
        chart = ChartDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "$"
        raise Unshown(
            f"it is no chart: {place}: {first['msg']}", f"차트 문서가 아닙니다: {place}: {first['msg']}"
        ) from error
    values = [value for line in chart.lines for point in line.points for value in point if value is not None]
    if len(values) > 2 * MAX_POINTS:
        raise Unshown(f"it has more than {MAX_POINTS} points", f"점이 {MAX_POINTS}개보다 많습니다")
    if not all(map(math.isfinite, values)):
        raise Unshown("it has a number that is not finite", "유한하지 않은 수가 있습니다")
    return chart


def grid_of(data: bytes, *, is_whole: bool = True) -> Grid:
    """The first rows of a CSV file (comma, semicolon or tab); `is_whole` says whether `data` is all of it. Raises Unshown."""
    text = _text(data if is_whole else data[: data.rfind(b"\n") + 1] or data)
    rows = _rows(text)
    if not rows or not any(rows[0]):
        raise Unshown("the table is empty", "표가 비어 있습니다")
    width = min(len(rows[0]), MAX_COLUMNS)
    is_cut = not is_whole or len(rows) > MAX_ROWS + 1 or any(len(row) > MAX_COLUMNS for row in rows)
    cut = [tuple(cell[:MAX_CELL_CHARS] for cell in (row + [""] * width)[:width]) for row in rows[: MAX_ROWS + 1]]
    return Grid(cut[0], tuple(cut[1:]), is_cut)


def pretty(data: bytes) -> str:
    """A JSON file's text, set in order. Raises Unshown."""
    return json.dumps(_json(data), ensure_ascii=False, indent=2)


def _rows(text: str) -> list[list[str]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            rows.append(row)
            if len(rows) > MAX_ROWS + 1:
                break
    except csv.Error as error:
        raise Unshown(f"it is no table: {error}", f"표로 읽을 수 없습니다: {error}") from error
    return [row for row in rows if row]


def _json(data: bytes) -> Any:
    try:
        return json.loads(_text(data), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise Unshown(f"it is no JSON: {error}", f"JSON이 아닙니다: {error}") from error


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unshown("it is no UTF-8 text", "UTF-8 텍스트가 아닙니다") from error
    if "\0" in text:  # no column of a database takes it
        raise Unshown("it has a NUL character", "NUL 문자가 있습니다")
    return text


def _name(key: str) -> str:
    if not key or len(key) > MAX_NAME_CHARS or not key.isprintable():
        raise Unshown(f"a name that cannot be shown: {key[:MAX_NAME_CHARS]!r}", "표시할 수 없는 이름이 있습니다")
    return key


def _figure(key: str, value: Any) -> float | str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    elif isinstance(value, str) and len(value) <= MAX_TEXT_CHARS and value.isprintable():
        return value
    raise Unshown(
        f"{key[:MAX_NAME_CHARS]}: no number and no short text", f"{key[:MAX_NAME_CHARS]}: 수나 짧은 글이 아닙니다"
    )
