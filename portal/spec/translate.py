"""Pydantic's validation errors in the catalogue's words, by one table."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from portal.spec import limits, models
from portal.spec.problems import Problem, json_path, problem

_MODEL_AT: dict[str, type[models.Model]] = {
    "": models.AppSpec,
    "tasks": models.Task,
    "components": models.Component,
    "image": models.Image,
    "resources": models.Resources,
    "ready": models.Ready,
    "workflow": models.Edge,
    "imported_apps": models.ImportedApp,
    "training_config": models.TrainingConfig,
    "goal_conditions": models.GoalCondition,
    "storage": models.Storage,
}
"""The model that stands under each key of the spec; keys are unique over all models (a test checks)."""

_TYPES = {
    "string_type": ("문자열", "a string"),
    "int_type": ("정수", "an integer"),
    "int_from_float": ("정수", "an integer"),
    "float_type": ("수", "a number"),
    "bool_type": ("true나 false", "true or false"),
    "tuple_type": ("배열", "an array"),
    "dict_type": ("객체", "an object"),
    "model_type": ("객체", "an object"),
}
_RULES = {
    "greater_than": (">", "gt"),
    "greater_than_equal": (">=", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("<=", "le"),
}
_LENGTHS = {"string_too_short": (">=", "min_length"), "string_too_long": ("<=", "max_length")}
_FORMATS = {
    models.ID_PATTERN: "",
    models.NAME_PATTERN: "RL-DesignOpt-v1",
    r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$": "1.0.0",
    r"^sha256:[0-9a-f]{64}$": f"sha256:{'0' * 64}",
}
_WITH_FOUND = {"bad_duration", "bad_memory", "bad_ready_file", "bad_storage_path"}
_BARE = {"bad_ready", "gpu_without_type", "gpus_and_shards"}


def shape_problems(error: ValidationError) -> list[Problem]:
    """One problem for each of pydantic's errors, in their order, as far as an answer lists them."""
    translated = (_translate(details) for details in _without_union_noise(error))
    return list(dict.fromkeys(islice(translated, limits.MAX_PROBLEMS + 1)))


def _without_union_noise(error: ValidationError) -> Iterator[ErrorDetails]:
    """`port` is a union: pydantic reports each branch under the branch's name; one report is enough."""
    for details in error.errors(include_url=False):
        loc = details["loc"]
        if "port" in loc and loc[-1] != "port":
            allowed = "1..65535, auto"
            details = {
                **details,
                "loc": loc[: loc.index("port") + 1],
                "type": "literal_error",
                "ctx": {"expected": allowed},
            }
        yield details


def _translate(details: ErrorDetails) -> Problem:
    kind, loc = details["type"], details["loc"]
    path = json_path(loc)
    ctx = details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(loc)
    if kind == "missing":
        return problem(path, "missing_field", field=loc[-1])
    found = shown(details["input"])
    if kind in _TYPES:
        ko, en = _TYPES[kind]
        return problem(path, "wrong_type", expected_ko=ko, expected_en=en, found=found)
    if kind in _RULES:
        sign, key = _RULES[kind]
        return problem(path, "out_of_range", found=found, rule=f"{sign} {ctx[key]}")
    if kind in _LENGTHS:
        sign, key = _LENGTHS[kind]
        return problem(path, "wrong_length", rule=f"{sign} {ctx[key]}")
    return _special(kind, path, found, ctx, details["msg"])


def _special(kind: str, path: str, found: str, ctx: dict[str, Any], message: str) -> Problem:
    if kind == "literal_error":
        return problem(path, "not_allowed", found=found, allowed=ctx["expected"])
    if kind == "string_pattern_mismatch":
        example = _FORMATS[ctx["pattern"]]
        return (
            problem(path, "bad_format", found=found, example=example)
            if example
            else problem(path, "bad_id", found=found)
        )
    if kind == "bad_timestamp":
        return problem(path, "bad_format", found=found, example="2026-02-09T09:00:00.000Z")
    if kind in _WITH_FOUND:
        return problem(path, kind, found=found)
    if kind in _BARE:
        return problem(path, kind)
    return problem(path, "invalid", what=message)


def _unknown_field(loc: tuple[str | int, ...]) -> Problem:
    field = str(loc[-1])
    known = field_names(_MODEL_AT[_owner(loc)])
    close = difflib.get_close_matches(field[:64].casefold(), known, n=1, cutoff=0.6)
    if close:
        return problem(json_path(loc), "misspelt_field", field=field, suggestion=close[0])
    return problem(json_path(loc), "unknown_field", field=field, known=", ".join(known))


def _owner(loc: tuple[str | int, ...]) -> str:
    return next((part for part in reversed(loc[:-1]) if isinstance(part, str)), "")


def field_names(model: type[models.Model]) -> list[str]:
    """The JSON names of a model's fields."""
    return [field.alias or name for name, field in model.model_fields.items()]


def shown(value: Any) -> str:
    """A value as the reader wrote it."""
    dump: Callable[[Any], str] = json.dumps
    return value if isinstance(value, str) else dump(value)
