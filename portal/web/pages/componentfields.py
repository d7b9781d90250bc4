"""The fields of a component's form: from what was typed to a version's content, back, and from a problem's path to its field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from portal.spec.library import MAX_PARAMS, Content, Param, bound_of, text_of, value_of
from portal.web.catalogue import N_
from portal.web.forms import Form

PARAM_WORDS: Final = {
    "text": N_("Text"),
    "integer": N_("Integer"),
    "number": N_("Number"),
    "boolean": N_("True or false"),
    "json": "JSON",
}
"""The types of parameters: value -> msgid."""
PARAM_FIELDS = ("name", "type", "default", "min", "max", "help")
_NUMBERS = ("gpu_count", "gpu_shards", "cpus", "nodes")
_WORDS = ("gpu_type", "memory", "time_limit")
_IN_PARAMS = re.compile(r"\$\.params\[(\d+)\](?:\.(\w+))?")
_FIELD_OF = {"$.image": "registry", "$.resources": "memory", "$.params": "p0_name"}


def rows_in(fields: Mapping[str, str]) -> int:
    """How many rows of parameters the form has."""
    text = fields.get("rows", "")
    return min(int(text), MAX_PARAMS) if text.isdecimal() and len(text) < 4 else 0


def params_in_order(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields with the rows of parameters that somebody filled in first, without gaps: row n is parameter n."""
    total = rows_in(fields)
    rows = [[fields.get(f"p{row}_{name}", "").strip() for name in PARAM_FIELDS] for row in range(total)]
    used = [row for row in rows if any(value for name, value in zip(PARAM_FIELDS, row, strict=True) if name != "type")]
    kept = {name: value for name, value in fields.items() if not re.match(r"p\d+_", name)}
    for index, row in enumerate(used):
        kept |= {f"p{index}_{name}": value for name, value in zip(PARAM_FIELDS, row, strict=True)}
    return kept | {"rows": str(total)}


def content_in(fields: Mapping[str, str]) -> Content:
    """What the form describes; values that cannot be right stay as they were typed, for the rules to refuse."""
    resources: dict[str, Any] = {name: fields.get(name, "").strip() for name in _WORDS}
    resources |= {name: _number(fields.get(name, "").strip()) for name in _NUMBERS}
    given = {name: value for name, value in resources.items() if value not in ("", 0)}
    return Content(
        registry=fields.get("registry", "").strip(),
        tag=fields.get("tag", "").strip(),
        resources={"memory": "", **given},
        params=tuple(_params(fields)),
        command=_lines(fields.get("command", "")),
        args=_lines(fields.get("args", "")),
    )


def fields_of(content: Content) -> dict[str, str]:
    """The other way: what stands in the fields."""
    values = {"registry": content.registry, "tag": content.tag}
    values |= {name: str(content.resources.get(name) or "") for name in (*_WORDS, *_NUMBERS)}
    values |= {"command": "\n".join(content.command or ()), "args": "\n".join(content.args or ())}
    for index, param in enumerate(content.params):
        shown = {
            "name": param.name,
            "type": param.type,
            "default": text_of(param.type, param.default),
            "min": "" if param.min is None else f"{param.min:g}",
            "max": "" if param.max is None else f"{param.max:g}",
            "help": param.help,
        }
        values |= {f"p{index}_{name}": value for name, value in shown.items()}
    return values


def with_fields(form: Form, fields: Mapping[str, str]) -> Form:
    """The form with its messages at its fields instead of at the paths of the rules."""
    errors: dict[str, tuple[str, ...]] = {}
    for path, texts in form.errors.items():
        name = _field(path, fields)
        errors[name] = (*errors.get(name, ()), *texts)
    return replace(form, errors=errors)


def _field(path: str, fields: Mapping[str, str]) -> str:
    if found := _IN_PARAMS.match(path):
        return f"p{found[1]}_{found[2] or 'name'}"
    if path.startswith("$.params."):
        names = [fields.get(f"p{row}_name", "") for row in range(rows_in(fields))]
        name = path.removeprefix("$.params.")
        return f"p{names.index(name) if name in names else 0}_default"
    if path in _FIELD_OF:
        return _FIELD_OF[path]
    return re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]


def _params(fields: Mapping[str, str]) -> list[Param]:
    found = []
    for row in range(rows_in(fields)):
        given = {name: fields.get(f"p{row}_{name}", "") for name in PARAM_FIELDS}
        if any(value for name, value in given.items() if name != "type"):
            kind = given["type"] or "text"
            low, high = bound_of(given["min"]), bound_of(given["max"])
            found.append(Param(given["name"], kind, value_of(kind, given["default"]), low, high, given["help"]))
    return found


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else text


def _lines(text: str) -> tuple[str, ...] | None:
    lines = tuple(line.rstrip("\r") for line in text.split("\n"))
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines or None
