"""A run that ended: measured once, kept with the attempt, told to sacct where the site grants it, and unknown where unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.daemon import noting
from portal.daemon.main import once
from portal.db.models import Attempt, Workload
from portal.services import efficiency
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
STEP = "TASK-001/CL-REF-001"


async def ended(world: World, spec: dict[str, Any], *, seconds: int = 60) -> Workload:
    """One that completed; its first component was sampled for `seconds`."""
    workload_id = await world.submit(spec)
    for _ in range(4):
        await world.round()
    await world.play(workload_id)
    attempt = (await world.workload(workload_id)).attempts[-1]
    lines = [{"t": float(t), "cpu_s": 0.5 * t, "rss_mib": 300.0 + t, "gpus": None} for t in range(0, seconds + 1, 10)]
    path = Path(attempt.run_dir, "steps", STEP, "t1", "usage.0.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for _ in range(3):
        await world.round()
    return await world.workload(workload_id)


def granting(world: World) -> World:
    """The same world on a site that writes AdminComment."""
    settings = world.context.settings
    slurm = settings.slurm.model_copy(update={"admin_comment": True})
    return replace(world, context=replace(world.context, settings=settings.model_copy(update={"slurm": slurm})))


async def noted(world: World) -> Attempt:
    await once("noting", world.context, noting.note_ended)
    attempt: Attempt
    (attempt,) = await world.rows(Attempt)
    return attempt


async def test_every_component_that_began_is_measured_once(world: World, small: dict[str, Any]) -> None:
    workload = await ended(world, small)
    found = {report.step: report for report in efficiency.reports(workload.attempts[-1])}
    assert set(found) == {f"TASK-001/CL-REF-00{n}" for n in (1, 2, 3, 4)} | {"TASK-002/CL-REF-010"}
    seen = found[STEP]
    assert (seen.used.peak_memory_mib, seen.used.cores, seen.used.span_s) == (360.0, 0.5, 60.0)
    assert seen.asked.cpus >= 1
    assert [one.code for one in seen.advice if one.code.startswith("memory")] == ["memory_too_much"]
    for step, report in found.items():
        if step != STEP:
            assert (report.peak_memory_mib, report.used.cores, report.advice) == (None, None, ())


async def test_a_short_run_gives_no_advice(world: World, small: dict[str, Any]) -> None:
    workload = await ended(world, small, seconds=10)
    assert all(report.advice == () for report in efficiency.reports(workload.attempts[-1]))


async def test_sacct_is_told_once_on_every_component(world: World, small: dict[str, Any]) -> None:
    granted = granting(world)
    workload = await ended(granted, small)
    attempt = await noted(granted)
    assert attempt.noted_at is not None
    comments = dict(world.slurm.admin_comments)
    assert comments.keys() <= set(attempt.jobs[0].component_ids)
    assert any(f"{workload.id} used of asked:" in text and f"{STEP} cpu 0.5/" in text for text in comments.values())
    world.slurm.admin_comments.clear()
    await noted(granted)
    assert world.slurm.admin_comments == {}
    assert (await world.events(workload.id)).count("noted") == 1


async def test_nothing_is_written_where_the_site_does_not_grant_it(world: World, small: dict[str, Any]) -> None:
    await ended(world, small)
    assert (await noted(world)).noted_at is None
    granted = granting(world)
    world.slurm.grants_admin_comment = False
    attempt = await noted(granted)
    assert (world.slurm.admin_comments, attempt.noted_at is not None) == ({}, True), "a refusal is not asked again"


async def test_an_outage_is_waited_for(world: World, small: dict[str, Any]) -> None:
    granted = granting(world)
    await ended(granted, small)
    world.slurm.accounting_outage = "slurmdbd is away"
    assert (await noted(granted)).noted_at is None
    world.slurm.accounting_outage = ""
    assert (await noted(granted)).noted_at is not None
    assert world.slurm.admin_comments
