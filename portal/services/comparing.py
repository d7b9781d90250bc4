"""Runs, or the runs behind models, gathered to be compared: what they reported, what they were told to do, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Workload, now
from portal.domain.comparison import LETTERS, Where, flat
from portal.services import analyses, models, modelview, runmetrics, workloads
from portal.services.audit import Actor
from portal.services.errors import Unavailable
from portal.services.modelview import ModelLine
from portal.services.runmetrics import RunMetrics
from portal.settings import Settings
from portal.spec.canonical import hashed_content
from portal.spec.load import load_resolved
from portal.store.s3 import ObjectStore

_GPUS = "gres/gpu"


@dataclass(frozen=True)
class Subject:
    """One of the compared: its letter, the key by which the address names it, its run, and the model for comparisons of models.

    `trouble` says why its metrics cannot be read now; `gpu_hours` are those that Slurm's accounting has, None before.
    """

    letter: str
    key: str
    workload: Workload
    metrics: RunMetrics
    settings: Mapping[Where, Any]
    seconds: float | None
    gpu_hours: float | None
    trouble: Unavailable | None = None
    line: ModelLine | None = None


async def runs(
    session: AsyncSession, actor: Actor, settings: Settings, store: ObjectStore, ids: Sequence[str]
) -> tuple[Subject, ...]:
    """These workloads, in this order. Raises NotFound when one of them is absent or not visible."""
    found = [await workloads.get(session, actor, workload_id) for workload_id in ids]
    return tuple(
        [
            await _subject(settings, store, letter, workload.id, workload, None)
            for letter, workload in zip(LETTERS, found, strict=False)
        ]
    )


async def versions(
    session: AsyncSession, actor: Actor, settings: Settings, store: ObjectStore, keys: Sequence[tuple[str, int]]
) -> tuple[Subject, ...]:
    """These model versions, (App id, version) in this order. Raises NotFound when one of them is absent or not visible."""
    found = [await models.get(session, actor, app_id, version) for app_id, version in keys]
    lines = await modelview.lines(session, actor, found)
    return tuple(
        [
            await _subject(
                settings, store, letter, f"{line.model.app_id}:{line.model.version}", line.model.workload, line
            )
            for letter, line in zip(LETTERS, lines, strict=False)
        ]
    )


async def figures(
    session: AsyncSession, actor: Actor, subjects: Sequence[Subject]
) -> tuple[Mapping[str, Mapping[str, float | str]], ...]:
    """Operator -> figures of each of the compared, by the newest analysis of it that has any."""
    found: dict[str, dict[str, Mapping[str, float | str]]] = {one.workload.id: {} for one in subjects}
    for analysis in await analyses.of_workloads(session, actor, list(found)):
        if analysis.figures:
            found[analysis.workload_id].setdefault(analysis.version.operator.name, analysis.figures)
    return tuple(found[one.workload.id] for one in subjects)


async def _subject(
    settings: Settings, store: ObjectStore, letter: str, key: str, workload: Workload, line: ModelLine | None
) -> Subject:
    trouble = None
    try:
        metrics = await runmetrics.read(settings, store, workload)
    except Unavailable as error:
        metrics, trouble = RunMetrics(), error
    return Subject(
        letter=letter,
        key=key,
        workload=workload,
        metrics=metrics,
        settings=_settings(workload),
        seconds=_seconds(workload),
        gpu_hours=_gpu_hours(workload),
        trouble=trouble,
        line=line,
    )


def _settings(workload: Workload) -> Mapping[Where, Any]:
    """What its spec hash covers; nothing while its images are not resolved."""
    if workload.resolved is None:
        return {}
    return flat(hashed_content(load_resolved(workload.resolved), time_limit_min=workload.time_limit_min))


def _seconds(workload: Workload) -> float | None:
    if workload.started_at is None:
        return None
    return ((workload.ended_at or now()) - workload.started_at).total_seconds()


def _gpu_hours(workload: Workload) -> float | None:
    """Every allocated GPU of every component for as long as Slurm had it allocated, over all attempts."""
    rows = [
        row for attempt in workload.attempts for job in attempt.jobs for row in (job.accounting or {}).get("rows", ())
    ]
    if not rows or workload.ended_at is None:
        return None
    return float(sum(row["alloc_tres"].get(_GPUS, 0) * row["elapsed_s"] for row in rows)) / 3600
