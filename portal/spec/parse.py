"""JSON text to a plain document, with every fault of the text named by its path.

What JSON libraries pass silently is refused here: duplicate keys, NaN and infinities, integers that other programs
change, NUL and lone surrogates, bottomless nesting, 32 KiB values.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from portal.spec import limits
from portal.spec.problems import Problem, SpecError, json_path, problem

Path = tuple[str | int, ...]

_SYNTAX_KO = {
    "Expecting ',' delimiter": ("쉼표가 필요합니다", "comma expected"),
    "Expecting ':' delimiter": ("콜론이 필요합니다", "colon expected"),
    "Expecting value": ("값이 필요합니다", "value expected"),
    "Expecting property name enclosed in double quotes": (
        "큰따옴표로 감싼 키가 필요합니다",
        "key in double quotes expected",
    ),
    "Illegal trailing comma before end of object": ("끝에 쉼표가 있습니다", "comma before the end"),
    "Illegal trailing comma before end of array": ("끝에 쉼표가 있습니다", "comma before the end"),
    "Unterminated string starting at": ("문자열이 끝나지 않았습니다", "string without end"),
    "Invalid control character at": ("문자열 안에 제어 문자가 있습니다", "control character in a string"),
    "Invalid \\escape": ("잘못된 이스케이프입니다", "invalid escape"),
    "Invalid \\uXXXX escape": ("잘못된 유니코드 이스케이프입니다", "invalid unicode escape"),
    "Extra data": ("JSON 뒤에 다른 내용이 있습니다", "text after the JSON"),
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": ("BOM이 있습니다", "byte order mark"),
}


@dataclass(frozen=True)
class _BadNumber:
    """Stands where a number was that cannot be used."""

    code: str
    text: str


class _Object(dict[str, Any]):
    """A JSON object that remembers which keys came twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.duplicates = [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]


def parse(data: bytes | str) -> tuple[Any, list[Problem]]:
    """The document and what is wrong in it (unusable values replaced by null).

    Raises SpecError when there is no document at all: too large, not UTF-8, not JSON.
    """
    text = _decode(data)
    try:
        raw = json.loads(
            text, object_pairs_hook=_Object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
    except json.JSONDecodeError as exc:
        ko, en = _SYNTAX_KO.get(exc.msg, (exc.msg, exc.msg))
        raise SpecError(
            [problem("$", "json_syntax", line=exc.lineno, column=exc.colno, what_ko=ko, what_en=en)]
        ) from exc
    except RecursionError as exc:
        raise SpecError([problem("$", "too_deep", limit=limits.MAX_DEPTH)]) from exc
    return inspect(raw)


def inspect(raw: Any) -> tuple[Any, list[Problem]]:
    """A plain copy of a document given as Python values, and what is wrong in it; for documents that are already parsed."""
    problems: list[Problem] = []
    return _plain(raw, (), problems), problems


def _decode(data: bytes | str) -> str:
    size = len(data) if isinstance(data, bytes) else len(data.encode("utf-8", "surrogatepass"))
    if size > limits.MAX_BYTES:
        raise SpecError([problem("$", "too_large", size=size, limit=limits.MAX_BYTES)])
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise SpecError([problem("$", "not_utf8", offset=exc.start)]) from exc


def _integer(text: str) -> int | _BadNumber:
    if len(text) > 20 or abs(int(text)) > limits.MAX_INTEGER:
        return _BadNumber("number_too_large", text)
    return int(text)


def _float(text: str) -> float | _BadNumber:
    value = float(text)
    return value if math.isfinite(value) else _BadNumber("not_finite", text)


def _constant(text: str) -> _BadNumber:
    return _BadNumber("not_finite", text)


def _plain(value: Any, path: Path, problems: list[Problem]) -> Any:
    """`value` without our markers; every fault below `path` is added to `problems`."""
    if isinstance(value, (dict, list, tuple)) and len(path) >= limits.MAX_DEPTH:
        _note(problems, path, "too_deep", limit=limits.MAX_DEPTH)
        return None
    if isinstance(value, dict):
        return _plain_object(value, path, problems)
    if isinstance(value, (list, tuple)):
        return [_plain(item, (*path, index), problems) for index, item in enumerate(value)]
    if isinstance(value, str):
        return _usable_text(value, path, problems)
    return _plain_scalar(value, path, problems)


def _plain_object(value: dict[Any, Any], path: Path, problems: list[Problem]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key in getattr(value, "duplicates", ()):
        _note(problems, path, "duplicate_key", key=key)
    for key, item in value.items():
        if not isinstance(key, str):
            _not_json(key)
        plain[_usable_text(key, path, problems)] = _plain(item, (*path, key), problems)
    return plain


def _plain_scalar(value: Any, path: Path, problems: list[Problem]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        value = _BadNumber("not_finite", str(value))
    elif isinstance(value, int) and abs(value) > limits.MAX_INTEGER:
        value = _BadNumber("number_too_large", "")
    if isinstance(value, _BadNumber):
        _note(problems, path, value.code, value=value.text, limit=limits.MAX_INTEGER)
        return None
    return value if isinstance(value, (int, float)) else _not_json(value)


def _note(problems: list[Problem], path: Path, code: str, **values: object) -> None:
    if len(problems) <= limits.MAX_PROBLEMS:
        problems.append(problem(json_path(path), code, **values))


def _not_json(value: object) -> NoReturn:
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def _usable_text(text: str, path: Path, problems: list[Problem]) -> str:
    """`text`, or an encodable copy of it when it has lone surrogates (which is a problem already)."""
    if "\0" in text:
        _note(problems, path, "bad_character", what="NUL (U+0000)")
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        _note(problems, path, "bad_character", what="U+D800..U+DFFF")
        return text.encode("utf-8", "replace").decode()
    if size > limits.MAX_VALUE_BYTES:
        _note(problems, path, "value_too_large", size=size, limit=limits.MAX_VALUE_BYTES)
    return text
