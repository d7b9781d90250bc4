"""What a version of a library component must be: checked by the rules of a spec that places it, and those of its parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from containers.errors import InvalidReference, RegistryNotAllowed
from containers.reference import check_allowed, from_spec
from portal.spec.diff import Change, leaf_changes
from portal.spec.load import load_spec
from portal.spec.problems import Problem, SpecError, listed, problem
from portal.spec.rules import SiteRules

ParamType = Literal["text", "integer", "number", "boolean", "json"]
PARAM_TYPES: tuple[ParamType, ...] = ("text", "integer", "number", "boolean", "json")
MAX_PARAMS = 64
MAX_TAGS = 16
MAX_TAG_CHARS = 32
MAX_TEXT_CHARS = 8000
NUMBERS = frozenset({"integer", "number"})
_IN_A_SPEC = "$.tasks[0].components[0]"


@dataclass(frozen=True)
class Unreadable:
    """Stands where a value was typed that its type cannot be."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Param:
    """One parameter: what a placement gets as `default` (None: nothing, a person fills it in), its type and range."""

    name: str
    type: str = "text"
    default: Any = None
    min: float | None = None
    max: float | None = None
    help: str = ""

    def as_json(self) -> dict[str, Any]:
        """Name, type and whatever else is given."""
        given = {"default": self.default, "min": self.min, "max": self.max, "help": self.help or None}
        return {"name": self.name, "type": self.type, **{key: one for key, one in given.items() if one is not None}}


@dataclass(frozen=True)
class Content:
    """What a version fixes: image, default resources as in a spec, parameters, and a command instead of the image's own."""

    registry: str
    tag: str
    resources: Mapping[str, Any]
    params: tuple[Param, ...] = ()
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """The parameters that a placement begins with."""
        given = {param.name: param.default for param in self.params if param.default is not None}
        return {name: value for name, value in given.items() if not isinstance(value, Unreadable)}


@dataclass(frozen=True)
class Described:
    """A component as somebody describes it, before anything is known to be right."""

    component_id: str
    name: str
    version: str
    content: Content
    tags: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """Free texts by field name: description, help, note."""


def problems_of(described: Described, site: SiteRules) -> tuple[Problem, ...]:
    """Everything wrong with it, paths from `$`: `$.resources.memory`, `$.params[0].default`."""
    return listed(
        [
            *_as_placed(described),
            *_registry(described.content, site),
            *_params(described.content.params),
            *_tags(described.tags),
            *_texts(described.texts),
        ]
    )


def tags_in(text: str) -> tuple[str, ...]:
    """The tags of a line: `sim, rl` -> ("sim", "rl"), each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def value_of(kind: str, text: str) -> Any:
    """A parameter's default as somebody typed it: "" is none, text is text, everything else is written as in JSON."""
    if text == "":
        return None
    if kind == "text":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return Unreadable(text)


def text_of(kind: str, value: Any) -> str:
    """The other way: what stands in the field."""
    if value is None:
        return ""
    return str(value) if kind == "text" or isinstance(value, Unreadable) else json.dumps(value, ensure_ascii=False)


def bound_of(text: str) -> float | None:
    """A smallest or largest value as somebody typed it: "" is none, what is no number is NaN and refused."""
    try:
        return float(text) if text else None
    except ValueError:
        return math.nan


def differences(old: Content, new: Content) -> tuple[Change, ...]:
    """What became of each field between two versions; parameters by name."""
    return tuple(leaf_changes("", _comparable(old), _comparable(new)))


def _comparable(content: Content) -> dict[str, Any]:
    params = {param.name: {k: v for k, v in param.as_json().items() if k != "name"} for param in content.params}
    return {
        "image": {"registry": content.registry, "tag": content.tag},
        "resources": dict(content.resources),
        "params": params,
        "command": None if content.command is None else list(content.command),
        "args": None if content.args is None else list(content.args),
    }


def _as_placed(described: Described) -> Iterator[Problem]:
    """The problems of the smallest App that places it."""
    document = _app_around(described)
    try:
        found: Sequence[Problem] = load_spec(document).problems
    except SpecError as error:
        found = error.problems
    for one in found:
        if one.path.startswith(_IN_A_SPEC):
            yield replace(one, path="$" + one.path.removeprefix(_IN_A_SPEC))
        elif one.path == "$.version":
            yield one


def _registry(content: Content, site: SiteRules) -> Iterator[Problem]:
    """Asked apart, so that it is said also where another field is wrong; what is no reference at all is said already."""
    with suppress(InvalidReference):
        try:
            check_allowed(from_spec(content.registry, content.tag), site.registries)
        except RegistryNotAllowed as error:
            allowed = ", ".join(error.allowed) or "-"
            yield problem("$.image.registry", "registry_not_allowed", registry=error.registry, allowed=allowed)


def _app_around(described: Described) -> dict[str, Any]:
    content = described.content
    component = {
        **_comparable(content),
        "component_id": described.component_id,
        "name": described.name,
        "params": content.defaults,
    }
    task = {"task_id": "TASK-001", "name": "task", "components": [component]}
    return {"app_id": "APP", "name": "app", "version": described.version, "tasks": [task]}


def _params(params: Sequence[Param]) -> Iterator[Problem]:
    if len(params) > MAX_PARAMS:
        yield problem("$.params", "wrong_length", rule=f"<= {MAX_PARAMS}")
        return
    seen: set[str] = set()
    for index, param in enumerate(params):
        path = f"$.params[{index}]"
        if not param.name:
            yield problem(f"{path}.name", "empty_param")
        elif param.name in seen:
            yield problem(f"{path}.name", "param_twice", name=param.name)
        seen.add(param.name)
        if param.type not in PARAM_TYPES:
            yield problem(f"{path}.type", "not_allowed", found=param.type, allowed=", ".join(PARAM_TYPES))
        else:
            yield from _value(param, path)


def _value(param: Param, path: str) -> Iterator[Problem]:
    bounds = [bound for bound in (param.min, param.max) if bound is not None]
    if not all(math.isfinite(bound) for bound in bounds):
        yield problem(f"{path}.max", "param_bounds", name=param.name)
        return
    if bounds and param.type not in NUMBERS:
        yield problem(path, "param_bounds", name=param.name)
    elif len(bounds) == 2 and bounds[0] > bounds[1]:
        yield problem(f"{path}.max", "out_of_range", found=bounds[1], rule=f">= {bounds[0]:g}")
    if param.default is None:
        return
    if not fits(param.type, param.default):
        yield problem(f"{path}.default", "param_default", name=param.name, type=param.type, found=param.default)
    elif param.type in NUMBERS:
        if param.min is not None and param.default < param.min:
            yield problem(f"{path}.default", "out_of_range", found=param.default, rule=f">= {param.min:g}")
        if param.max is not None and param.default > param.max:
            yield problem(f"{path}.default", "out_of_range", found=param.default, rule=f"<= {param.max:g}")


def fits(kind: str, value: Any) -> bool:
    """Whether a JSON value is of a parameter's type."""
    if isinstance(value, Unreadable):
        return False
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, str) if kind == "text" else True


def _tags(tags: Sequence[str]) -> Iterator[Problem]:
    if len(tags) > MAX_TAGS:
        yield problem("$.tags", "wrong_length", rule=f"<= {MAX_TAGS}")
    for tag in tags:
        if not tag or len(tag) > MAX_TAG_CHARS or not tag.isprintable() or tag != "".join(tag.split()) or "," in tag:
            yield problem("$.tags", "bad_tag", found=tag, limit=MAX_TAG_CHARS)


def _texts(texts: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in texts.items():
        if len(text) > MAX_TEXT_CHARS:
            yield problem(f"$.{name}", "wrong_length", rule=f"<= {MAX_TEXT_CHARS}")
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            yield problem(f"$.{name}", "bad_character", what="NUL (U+0000)")
