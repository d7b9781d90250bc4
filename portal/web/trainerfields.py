"""The Trainer's form as texts by field name: filled from an App or a former request, and set right after each change.

A component is c0, c1, … in the order of the spec (`c0-gpus`); a row of a list is `reward-key-0`. `top-gpus` is the top
line and `was-gpus` what it was when it was shown: where they differ, somebody changed the top line (D4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from portal.compile import CpuPolicy
from portal.domain import topline
from portal.services.telling import NOTIFY
from portal.services.trainer import Opened
from portal.spec.graph import components_of
from portal.spec.models import AppSpec, Component, TrainingConfig
from slurm.units import memory_mib, memory_text

Fields = dict[str, str]
RL, GENERAL = "rl", "general"
NUMBERS: Final = ("episodes", "learning_rate", "batch_size", "gamma", "max_steps_per_episode")
SEED_KEY: Final = "simulation_seed"
SHOWN: Final = "shown-v"
"""The version whose components the fields are of: another one may have others in their places."""
LISTS: Final = {
    "reward": ("key", "value"),
    "goal": ("metric", "op", "value", "episodes"),
    "env": ("key", "value"),
}
"""The parts of one row of each list."""
TOP: Final = ("gpus", "memory", "cpus")
IN_TEMPLATES: Final = ("reward", "goal")
"""The lists of a template; environment variables belong to the App."""
_TEMPLATE: Final = (*NUMBERS, "env_config", "kind", "time_limit", "form")
_TICKS: Final = ("smallest", "notify_start", "notify_end", "share_logs")
_OF_COMPONENTS = re.compile(r"(?:c[0-9]+|top|was)-(?!seed)")


@dataclass(frozen=True)
class Placement:
    """One component of the App: the name of its fields, and what the App says."""

    field: str
    path: str
    step: str
    task: str
    component: Component


def placements(spec: AppSpec) -> tuple[Placement, ...]:
    """The components in the order of the form."""
    return tuple(
        Placement(f"c{number}", path, f"{task.task_id}/{component.id}", task.name, component)
        for number, (path, task, component) in enumerate(components_of(spec))
    )


def filled(begun: Opened, *, name: str, time_limit_min: int, cpus: CpuPolicy) -> Fields:
    """The form as it opens."""
    source, shown = begun.source, begun.source_spec or begun.spec
    options = source.options if source else {}
    fields = {
        "kind": source.kind if source else (RL if begun.spec.training_config else GENERAL),
        "name": name,
        "note": source.note if source else "",
        "time_limit": duration_text(source.time_limit_min if source else time_limit_min),
        "form": options.get("form", "auto"),
        "storage": shown.storage.path if shown.storage else "",
        **{tick: "on" for tick in ("smallest", "share_logs") if options.get(tick)},
        **{f"notify_{wish}": "on" for wish in options.get(NOTIFY, ())},
        "operator": str(options.get("operator", "")),
        **_resources(begun.spec, shown),
        **_training(shown.training_config or TrainingConfig()),
        **_list("env", list(shown.env_vars.items())),
    }
    return settled(fields | {SHOWN: begun.version.version}, begun, cpus)


def _resources(spec: AppSpec, shown: AppSpec) -> Fields:
    now = {place.step: place.component for place in placements(shown)}
    fields: Fields = {}
    for place in placements(spec):
        asked = now.get(place.step, place.component).resources
        fields[f"{place.field}-gpu_type"] = asked.gpu_type or ""
        fields[f"{place.field}-gpus"] = str(asked.gpu_count)
        fields[f"{place.field}-memory"] = memory_text(asked.memory_mib)
        fields[f"{place.field}-cpus"] = "" if asked.cpus is None else str(asked.cpus)
        if asked.gpu_shards is not None:
            fields[f"{place.field}-shards"] = str(asked.gpu_shards)
    return fields


def _training(config: TrainingConfig) -> Fields:
    goals = [(goal.metric, goal.op, _number(goal.value), str(goal.episodes)) for goal in config.goal_conditions]
    return {
        **{name: _number(getattr(config, name)) for name in NUMBERS},
        "env_config": json_text(config.env_config),
        **_list("reward", [(key, _number(value)) for key, value in config.reward_params.items()]),
        **_list("goal", goals),
    }


def _list(name: str, rows: list[Any]) -> Fields:
    return {
        f"{name}-{part}-{number}": value
        for number, row in enumerate(rows)
        for part, value in zip(LISTS[name], row, strict=True)
    }


def json_text(value: Any) -> str:
    """JSON as the form shows it."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _number(value: Any) -> str:
    """`0.001` and `90`, not `90.0`; other JSON as it is."""
    return f"{value:.12g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def duration_text(minutes: int) -> str:
    """`24h`, `90m`."""
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def count(text: str) -> int | None:
    """`1,000` as a number; None for anything else."""
    plain = text.strip().replace(",", "")
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 16 else None


def mib(text: str) -> int | None:
    """`128GB` in MiB (a bare number means GB); None for anything else."""
    try:
        return memory_mib(with_unit(text))
    except ValueError:
        return None


def with_unit(text: str) -> str:
    """`128` -> `128GB`."""
    plain = text.strip()
    return f"{plain}GB" if count(plain) is not None else plain


def rows(fields: Mapping[str, str], name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a list: (number, part -> text)."""
    number = 0
    while any(f"{name}-{part}-{number}" in fields for part in LISTS[name]):
        yield number, {part: fields.get(f"{name}-{part}-{number}", "") for part in LISTS[name]}
        number += 1


def template_of(fields: Mapping[str, str]) -> Fields:
    """What a template keeps of a form: everything that belongs to no component, App or single request."""
    listed = {
        f"{name}-{part}-{number}": value
        for name in IN_TEMPLATES
        for number, row in rows(fields, name)
        for part, value in row.items()
    }
    return {name: fields[name] for name in (*_TEMPLATE, *_TICKS) if name in fields} | listed


def with_template(fields: Mapping[str, str], template: Mapping[str, str]) -> Fields:
    """The form with a template's settings in place of its own."""
    replaced = (*_TICKS, "seed", "was-seed")
    lists = tuple(f"{name}-" for name in IN_TEMPLATES)
    kept = {name: value for name, value in fields.items() if name not in replaced and not name.startswith(lists)}
    return kept | template_of(template)


def settled(fields: Mapping[str, str], begun: Opened, cpus: CpuPolicy) -> Fields:
    """The form set right: what a button asked for is done, the top line and the column agree, so do seed and JSON."""
    done = _pressed(_completed(dict(fields), begun), begun.spec)
    done = _with_top(done, placements(begun.spec), cpus)
    return _with_seed(done)


def _completed(fields: Fields, begun: Opened) -> Fields:
    """Another version begins with its own resources; a form that was a general run's gets the training fields."""
    if fields.get(SHOWN) != begun.version.version:
        kept = {name: value for name, value in fields.items() if not _OF_COMPONENTS.match(name)}
        fields = kept | _resources(begun.spec, begun.spec) | {SHOWN: begun.version.version}
    if fields.get("kind") == RL and "env_config" not in fields:
        fields = _training(begun.spec.training_config or TrainingConfig()) | fields
    return fields


def _pressed(fields: Fields, spec: AppSpec) -> Fields:
    """`add`, `drop`, `reset` and `tidy` are buttons."""
    added, dropped, reset = fields.pop("add", ""), fields.pop("drop", ""), fields.pop("reset", "")
    if added in LISTS:
        number = len(list(rows(fields, added)))
        fields |= {f"{added}-{part}-{number}": "" for part in LISTS[added]}
    name, _, number_text = dropped.rpartition("-")
    if name in LISTS:
        kept = [tuple(row.values()) for number, row in rows(fields, name) if str(number) != number_text]
        fields = {key: value for key, value in fields.items() if not key.startswith(f"{name}-")} | _list(name, kept)
    if reset:
        app = _resources(spec, spec)
        fields |= {key: value for key, value in app.items() if reset in ("all", key.partition("-")[0])}
        fields = {key: value for key, value in fields.items() if not key.startswith("was-")}
    if fields.pop("tidy", "") and (parsed := _parsed(fields.get("env_config", ""))) is not None:
        fields["env_config"] = json_text(parsed)
    return fields


def effective_cpus(fields: Mapping[str, str], place: Placement, cpus: CpuPolicy) -> int | None:
    """CPUs that the component gets: those given, those of the App, or by the site's rule from its GPUs."""
    text = fields.get(f"{place.field}-cpus", "").strip()
    if text:
        return count(text)
    asked = place.component.resources
    gpus = count(fields.get(f"{place.field}-gpus", "")) if fields.get(f"{place.field}-gpus", "").strip() else None
    return cpus.cpus(asked if gpus is None else asked.model_copy(update={"gpu_count": gpus}))


def _column(fields: Mapping[str, str], found: tuple[Placement, ...], name: str, cpus: CpuPolicy) -> list[int | None]:
    if name == "cpus":
        return [effective_cpus(fields, place, cpus) for place in found]
    read = mib if name == "memory" else count
    return [read(fields.get(f"{place.field}-{name}", "")) for place in found]


def _text(name: str, value: int | None) -> str:
    if value is None:
        return ""
    return memory_text(value) if name == "memory" else str(value)


def _with_top(fields: Fields, found: tuple[Placement, ...], cpus: CpuPolicy) -> Fields:
    for name in TOP:
        column = _column(fields, found, name, cpus)
        wanted = (mib if name == "memory" else count)(fields.get(f"top-{name}", ""))
        if _changed(fields, name) and wanted is not None:
            for place, before, after in zip(found, column, topline.with_top(column, wanted), strict=True):
                if before != after:
                    fields[f"{place.field}-{name}"] = _text(name, after)
    _with_top_type(fields, found)
    for name in TOP:
        fields[f"top-{name}"] = fields[f"was-{name}"] = _text(name, topline.top(_column(fields, found, name, cpus)))
    return fields


def _with_top_type(fields: Fields, found: tuple[Placement, ...]) -> None:
    types = [fields.get(f"{place.field}-gpu_type", "") for place in found]
    if _changed(fields, "gpu_type"):
        types = topline.with_top_type(types, fields["was-gpu_type"], fields.get("top-gpu_type", ""))
        fields |= {f"{place.field}-gpu_type": kind for place, kind in zip(found, types, strict=True)}
    gpus = [count(fields.get(f"{place.field}-gpus", "")) for place in found]
    fields["top-gpu_type"] = fields["was-gpu_type"] = topline.top_type(types, gpus)


def _changed(fields: Mapping[str, str], name: str) -> bool:
    return f"was-{name}" in fields and fields.get(f"top-{name}", "") != fields[f"was-{name}"]


def _parsed(text: str) -> Any:
    """The JSON of a text; None where it is none (reading the form says what is wrong with it)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _with_seed(fields: Fields) -> Fields:
    """The seed field writes env_config.simulation_seed, and shows it."""
    parsed = _parsed(fields.get("env_config", "") or "{}")
    if not isinstance(parsed, dict):
        return {**fields, "was-seed": fields.get("seed", "")}
    if "was-seed" in fields and fields.get("seed", "").strip() != fields["was-seed"]:
        seed = fields.get("seed", "").strip()
        parsed.pop(SEED_KEY, None) if not seed else parsed.update({SEED_KEY: _seed(seed)})
        fields["env_config"] = json_text(parsed)
    shown = _number(parsed[SEED_KEY]) if SEED_KEY in parsed else ""
    return {**fields, "seed": shown, "was-seed": shown}


def _seed(text: str) -> Any:
    """A number where it reads as one; any other text is kept as text."""
    value = _parsed(text)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else text
