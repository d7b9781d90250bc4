"""The Trainer's form read: texts become a request as every door makes it, and problems find their fields.

Nothing is judged here: a text that is no number goes on as text, and the spec's own rules say what is wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from portal.domain.notices import WISHES
from portal.services.trainer import Opened
from portal.services.workloads import SubmitRequest
from portal.spec.models import Component, Resources, TrainingConfig
from portal.spec.parse import parse
from portal.spec.problems import Problem, SpecError, json_path, problem
from portal.spec.values import duration_s
from portal.web.trainerfields import GENERAL, NUMBERS, RL, Fields, mib, placements, rows, with_unit
from slurm.plan import Form as PlanForm

WHOLE = "app"
"""Where a problem is shown that belongs to no field."""
FORMS = ("auto", "together", "staged")
NOTE_CHARS = 2000
OPERATOR_CHARS = 32
_SCALAR_CHARS = 400
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_RESOURCES = {"gpu_type": "gpu_type", "gpus": "gpu_count", "shards": "gpu_shards", "memory": "memory", "cpus": "cpus"}


@dataclass
class Reading:
    """What was read so far: values for this request only, what could not be read, and which path is which field."""

    overrides: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)

    def at_fields(self, found: tuple[Problem, ...]) -> tuple[Problem, ...]:
        """The same problems, each at its field."""
        return tuple(replace(one, path=self._field(one.path)) for one in found)

    def _field(self, path: str) -> str:
        fitting = [place for place in self.places if path == place or path.startswith((f"{place}.", f"{place}["))]
        return self.places[max(fitting, key=len)] if fitting else WHOLE

    def wrong(self, name: str, code: str, **values: object) -> None:
        """Note a problem of a field."""
        self.problems.append(problem(name, code, **values))


def read(fields: Fields, begun: Opened, idempotency_key: str | None) -> tuple[SubmitRequest, Reading]:
    """The request, and what stands in its way so far."""
    reading = Reading(places={"$.name": "name", "$.storage": "storage", "$.training_config": "kind"})
    kind = fields.get("kind", "")
    for place in placements(begun.spec):
        _read_resources(reading, fields, place.field, place.step, place.component)
        _place_resources(reading, place.field, place.path)
    if kind == RL:
        _read_training(reading, fields, begun.spec.training_config)
    _read_env(reading, fields, begun.spec.env_vars)
    _read_storage(reading, fields, begun)
    if len(fields.get("note", "")) > NOTE_CHARS:
        reading.wrong("note", "wrong_length", rule=f"<= {NOTE_CHARS}")
    request = SubmitRequest(
        spec=begun.version.spec,
        kind=kind if kind in (RL, GENERAL) else None,
        name=fields.get("name", "").strip(),
        note=fields.get("note", "").strip(),
        idempotency_key=idempotency_key,
        overrides=reading.overrides,
        time_limit_min=_time_limit(reading, fields.get("time_limit", "").strip()),
        form=cast(PlanForm, fields["form"]) if fields.get("form") in FORMS else "auto",
        smallest="smallest" in fields,
        run_test=runs_test(fields),
        share_logs="share_logs" in fields,
        operator=fields.get("operator", "")[:OPERATOR_CHARS],
        notify=tuple(wish for wish in WISHES if f"notify_{wish}" in fields),
    )
    return request, reading


def runs_test(fields: Mapping[str, str]) -> bool:
    """Whether a needed test begins at once: ticked, and ticked by itself where the box was not shown yet."""
    return "run_test" in fields or "run_test_shown" not in fields


def _read_resources(reading: Reading, fields: Fields, name: str, step: str, component: Component) -> None:
    asked = component.resources
    for part, key in _RESOURCES.items():
        text = fields.get(f"{name}-{part}", "").strip()
        if (part == "gpu_type" and f"{name}-{part}" in fields) or text:
            value = _resource(part, text)
            if not _same(asked, part, value, getattr(asked, key)):
                reading.overrides[f"{step}.resources.{key}"] = value


def _resource(part: str, text: str) -> Any:
    if part == "gpu_type":
        return text or None
    return with_unit(text) if part == "memory" else scalar(text)


def _same(asked: Resources, part: str, value: Any, now: Any) -> bool:
    """Whether this is what the App says anyway: then nothing is overridden, and the spec hash stays."""
    return mib(value) == asked.memory_mib if part == "memory" else value == now and type(value) is type(now)


def _place_resources(reading: Reading, name: str, path: str) -> None:
    reading.places[f"{path}.resources"] = f"{name}-gpus"
    reading.places |= {f"{path}.resources.{key}": f"{name}-{part}" for part, key in _RESOURCES.items()}


def scalar(text: str) -> Any:
    """`0.001`, `1,000` as numbers; what does not read as JSON stays text."""
    plain = text.strip()
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    if len(plain) > _SCALAR_CHARS:
        return plain
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        return plain


def _read_training(reading: Reading, fields: Fields, app: TrainingConfig | None) -> None:
    config = app or TrainingConfig()
    wanted: dict[str, Any] = {} if app else {"episodes": config.episodes}  # at least one makes it a training request
    for name in NUMBERS:
        reading.places[f"$.training_config.{name}"] = name
        if text := fields.get(name, "").strip():
            wanted[name] = scalar(text)
    wanted["env_config"] = _env_config(reading, fields.get("env_config", ""), config)
    wanted["reward_params"] = _rewards(reading, fields)
    wanted["goal_conditions"] = _goals(reading, fields)
    said = config.model_dump(mode="json") if app else {}
    reading.overrides |= {
        f"training_config.{name}": value
        for name, value in wanted.items()
        if not (name in said and _equal(value, said[name])) and not (app is None and value in ({}, []))
    }


def _equal(value: Any, said: Any) -> bool:
    """JSON's equality, where 1 and 1.0 are one number and 1 and true are not."""
    return bool(value == said) and isinstance(value, bool) == isinstance(said, bool)


def _env_config(reading: Reading, text: str, config: TrainingConfig) -> Any:
    reading.places["$.training_config.env_config"] = "env_config"
    try:
        value, problems = parse((text.strip() and text) or "{}")
    except SpecError as error:
        problems, value = list(error.problems), dict(config.env_config)
    reading.problems += [replace(one, path="env_config") for one in problems]
    return value


def _rewards(reading: Reading, fields: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, row in rows(fields, "reward"):
        key, text = row["key"].strip(), row["value"].strip()
        if not key and not text:
            continue
        value = scalar(text)
        if not key:
            reading.wrong(f"reward-key-{number}", "missing_field", field="key")
        elif key in found:
            reading.wrong(f"reward-key-{number}", "duplicate_key", key=key)
        elif isinstance(value, str):
            reading.wrong(
                f"reward-value-{number}", "wrong_type", expected_ko="수", expected_en="a number", found=text or "-"
            )
        else:
            found[key] = value
            reading.places[json_path(("training_config", "reward_params", key))] = f"reward-value-{number}"
    return found


def _goals(reading: Reading, fields: Fields) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, row in rows(fields, "goal"):
        if not row["metric"].strip() and not row["value"].strip():
            continue
        path = f"$.training_config.goal_conditions[{len(found)}]"
        reading.places |= {f"{path}.{part}": f"goal-{part}-{number}" for part in row}
        goal = {"metric": row["metric"].strip(), "op": row["op"] or ">=", "value": scalar(row["value"])}
        found.append({**goal, "episodes": scalar(row["episodes"]) if row["episodes"].strip() else 1})
    return found


def _read_env(reading: Reading, fields: Fields, app: Mapping[str, str]) -> None:
    for number, row in rows(fields, "env"):
        key = row["key"].strip()
        if not key and not row["value"]:
            continue
        if not key:
            reading.wrong(f"env-key-{number}", "missing_field", field="key")
            continue
        reading.places[json_path(("env_vars", key))] = f"env-key-{number}"
        if app.get(key) != row["value"]:
            reading.overrides[f"env_vars.{key}"] = row["value"]


def _read_storage(reading: Reading, fields: Fields, begun: Opened) -> None:
    path, app = fields.get("storage", "").strip(), begun.spec.storage
    if path and (app is None or app.path != path):
        reading.overrides["storage.path"] = path
        if app is None:
            reading.overrides["storage.type"] = "distributed"


def _time_limit(reading: Reading, text: str) -> int | None:
    """Whole minutes; None means the site's default."""
    if not text:
        return None
    try:
        return -(-duration_s(text) // 60)
    except ValueError:
        reading.wrong("time_limit", "bad_duration", found=text)
        return None
