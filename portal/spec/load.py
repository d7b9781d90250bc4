"""The door of a spec: JSON in, a checked AppSpec out, or every problem at once.

loaded = load_spec(data)      # bytes, str, or a document already parsed
loaded.spec                   # AppSpec
loaded.document               # the JSON as it came: same keys, same order, no defaults added
loaded.problems               # warnings only
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from portal.spec import limits
from portal.spec.counts import count_problems
from portal.spec.models import AppSpec
from portal.spec.parse import inspect, parse
from portal.spec.problems import Problem, SpecError, errors_of, listed, problem
from portal.spec.repair import GUESSWORK, repaired
from portal.spec.rules import spec_problems
from portal.spec.translate import shape_problems

_REPAIR_ROUNDS = 3
"""Dropping a field can leave its object without what it needs (ready without port): drop that too, and once more."""

_KEPT_CHARS = 128 * 1024


@dataclass(frozen=True)
class LoadedSpec:
    """A spec without errors; `problems` are its warnings."""

    spec: AppSpec
    document: dict[str, Any]
    problems: tuple[Problem, ...]


def load_spec(data: bytes | str | Mapping[str, Any]) -> LoadedSpec:
    """Read and check a spec.

    Raises SpecError with everything found (the graph and the values are judged too where only some fields have a wrong
    shape), and TypeError when a mapping holds values that JSON does not have.
    """
    document, problems = _document(data)
    if counts := count_problems(document):
        raise SpecError([*problems, *counts])
    try:
        spec = _validate(document)
    except ValidationError as exc:
        reported = {found.path for found in problems}
        shape = [found for found in shape_problems(exc) if found.path not in reported]
        raise SpecError([*problems, *shape, *_rule_problems_of(document, exc)]) from exc
    problems += spec_problems(spec)
    if errors_of(problems):
        raise SpecError(problems)
    return LoadedSpec(spec, document, listed(problems))


def load_resolved(data: Mapping[str, Any]) -> AppSpec:
    """The spec of a stored, already checked document (a workload's row). Raises SpecError as load_spec does.

    Rows of one App hold the same document again and again: the newest ones are read once. Nobody changes a spec.
    """
    text = json.dumps(data)
    return _read_once(text) if len(text) <= _KEPT_CHARS else load_spec(text).spec


@functools.lru_cache(maxsize=64)
def _read_once(text: str) -> AppSpec:
    return load_spec(text).spec


def dump_spec(spec: AppSpec) -> dict[str, Any]:
    """The spec's document: JSON names, and only the fields that were given."""
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _validate(document: Any) -> AppSpec:
    """JSON mode: strict types, and arrays may become tuples."""
    return AppSpec.model_validate_json(json.dumps(document))


def _rule_problems_of(document: Any, error: ValidationError) -> list[Problem]:
    """What the rules say of a misshapen document, as far as it can be known."""
    if error.error_count() > limits.MAX_PROBLEMS:
        return []
    for _round in range(_REPAIR_ROUNDS):
        document = repaired(document, error)
        if document is None:
            return []
        try:
            spec = _validate(document)
        except ValidationError as exc:
            error = exc
            continue
        return [found for found in errors_of(spec_problems(spec)) if found.code not in GUESSWORK]
    return []


def _document(data: bytes | str | Mapping[str, Any]) -> tuple[Any, list[Problem]]:
    if isinstance(data, (bytes, str)):
        return parse(data)
    document, problems = inspect(dict(data))
    size = len(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > limits.MAX_BYTES:
        raise SpecError([problem("$", "too_large", size=size, limit=limits.MAX_BYTES)])
    return document, problems
