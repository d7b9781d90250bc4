"""What the Trainer's page shows of its fields: the table of components, the lists, and the plan as boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.compile import CpuPolicy
from portal.services.glance import FreeGpus
from portal.services.planning import names_of
from portal.services.trainer import Opened, Outlook
from portal.spec.diff import DiffGroup
from portal.web.trainerfields import (
    LISTS,
    NUMBERS,
    Fields,
    Placement,
    effective_cpus,
    mib,
    placements,
    rows,
)
from portal.web.trainerreading import runs_test
from slurm.units import memory_text

OVER, UNDER, TOO_LARGE, UNKNOWN = "over", "under", "too_large", ""


@dataclass(frozen=True)
class ResourceRow:
    """One component of the table; `was` has the App's value of each changed cell, `check` is one of the constants above.

    `share` is (shares asked, into how many the type's GPU is cut); None: whole GPUs, or not known.
    """

    place: Placement
    cpus: int | None
    was: Mapping[str, str]
    check: str
    first_of_task: bool
    share: tuple[str, int] | None


@dataclass(frozen=True)
class Box:
    """One het group as it is drawn; `joined` says that it belongs to the same Slurm job as the one before."""

    label: str
    gpus: int
    shards: int
    nodes: int
    cpus: int
    memory_mib: int
    steps: tuple[str, ...]
    joined: bool


@dataclass(frozen=True)
class Difference:
    """One value that differs: of which component ("" is the whole App), which field, before and now."""

    where: str
    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class View:
    """Everything that a template would otherwise have to work out."""

    rows: tuple[ResourceRow, ...]
    gpu_types: tuple[tuple[str, FreeGpus | None], ...]
    lists: Mapping[str, tuple[int, ...]]
    app_env: frozenset[str]
    defaults: Mapping[str, Any]
    weights: float | None
    boxes: tuple[Box, ...]
    from_app: tuple[Difference, ...]
    from_source: tuple[Difference, ...]
    runs_test: bool


def view_of(fields: Fields, begun: Opened, outlook: Outlook | None, free: Sequence[FreeGpus], cpus: CpuPolicy) -> View:
    """The page's parts. `free` are the cluster's GPU types."""
    config = begun.spec.training_config
    names = names_of(begun.spec)
    return View(
        rows=_rows(fields, begun, outlook, cpus),
        gpu_types=_types(fields, begun, free),
        lists={name: tuple(number for number, _row in rows(fields, name)) for name in LISTS},
        app_env=frozenset(begun.spec.env_vars),
        defaults={name: getattr(config, name) for name in NUMBERS} if config else {},
        weights=_weights(fields),
        boxes=_boxes(outlook.preview.plan, names) if outlook and outlook.preview else (),
        from_app=_differences(outlook.from_app, names) if outlook else (),
        from_source=_differences(outlook.from_source, names) if outlook else (),
        runs_test=runs_test(fields),
    )


def _rows(fields: Fields, begun: Opened, outlook: Outlook | None, cpus: CpuPolicy) -> tuple[ResourceRow, ...]:
    checks = _checks(begun, outlook)
    found, before = [], ""
    for place in placements(begun.spec):
        first, before = place.step.partition("/")[0] != before, place.step.partition("/")[0]
        check = checks.get(place.step, UNDER if outlook else UNKNOWN)
        found.append(
            ResourceRow(
                place,
                effective_cpus(fields, place, cpus),
                _changed_cells(fields, place),
                check,
                first,
                _share(fields, place, outlook),
            )
        )
    return tuple(found)


def _share(fields: Fields, place: Placement, outlook: Outlook | None) -> tuple[str, int] | None:
    asked = place.component.resources
    label = fields.get(f"{place.field}-gpu_type", asked.gpu_type or "")
    cut = outlook.shards_per_gpu.get(label) if outlook else None
    return (fields.get(f"{place.field}-shards", ""), cut) if asked.gpu_shards is not None and cut else None


def _checks(begun: Opened, outlook: Outlook | None) -> dict[str, str]:
    if outlook is None:
        return {}
    checks = {reason.step: OVER for reason in outlook.approval}
    if outlook.obstacle is not None:
        paths = {f"{place.path}.resources": place.step for place in placements(begun.spec)}
        checks |= {paths[one.path]: TOO_LARGE for one in outlook.obstacle.problems if one.path in paths}
    return checks


def _changed_cells(fields: Fields, place: Placement) -> dict[str, str]:
    """The App's value of each cell that says something else."""
    asked = place.component.resources
    said = {
        "gpu_type": asked.gpu_type or "",
        "gpus": str(asked.gpu_count),
        "memory": memory_text(asked.memory_mib),
        "cpus": "" if asked.cpus is None else str(asked.cpus),
        "shards": "" if asked.gpu_shards is None else str(asked.gpu_shards),
    }
    now = {part: fields.get(f"{place.field}-{part}", value).strip() for part, value in said.items()}
    changed = {part: value for part, value in said.items() if now[part] != value and (now[part] or part == "gpu_type")}
    if "memory" in changed and mib(now["memory"]) == asked.memory_mib:
        del changed["memory"]
    return changed


def _types(fields: Fields, begun: Opened, free: Sequence[FreeGpus]) -> tuple[tuple[str, FreeGpus | None], ...]:
    """The cluster's types, and those that the form names besides."""
    known = {one.label: one for one in free}
    named = (fields.get(f"{place.field}-gpu_type", "") for place in placements(begun.spec))
    return tuple((label, known.get(label)) for label in dict.fromkeys([*known, *filter(None, named)]))


def _weights(fields: Fields) -> float | None:
    """The sum of the rewards whose key ends in _weight; None without one that can be read."""
    texts = [row["value"] for _number, row in rows(fields, "reward") if row["key"].strip().endswith("_weight")]
    try:
        return sum(float(text) for text in texts) if texts else None
    except ValueError:
        return None


def _boxes(plan: Mapping[str, Any], names: Mapping[str, str]) -> tuple[Box, ...]:
    """Groups in the order in which they are given back: the one that stays to the end comes last."""
    return tuple(
        Box(
            label=group["gpu_type"] or "",
            gpus=group["gpus"],
            shards=group["shards"],
            nodes=group["nodes"],
            cpus=group["cpus"],
            memory_mib=group["memory_mib"],
            steps=tuple(names.get(step, step) for step in group["steps"]),
            joined=number > 0,
        )
        for job in plan["jobs"]
        for number, group in enumerate([*job["groups"][1:], job["groups"][0]])
    )


def _differences(groups: Sequence[DiffGroup], names: Mapping[str, str]) -> tuple[Difference, ...]:
    found = []
    for group in groups:
        where = names.get(group.where, group.where)
        found += [Difference(where, change.path, change.old, change.new) for change in group.changes]
        if not group.changes:
            found.append(Difference(where, group.change, None, None))
    return tuple(found)
