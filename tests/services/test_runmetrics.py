"""The series of a run: the same from its run directory and from S3, capped, with what is no number left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portal.services import runmetrics
from portal.services.errors import Unavailable
from portal.services.runmetrics import points_of
from portal.store.layout import log_prefix
from tests.daemon.test_road import RISING, finished
from tests.daemon.world import World, own_uid

STEP = "TASK-001/CL-REF-004"


@pytest.fixture(autouse=True)
def _own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    own = pwd.getpwuid(own_uid("me"))
    monkeypatch.setattr("portal.services.logsource.pwd.getpwnam", lambda _name: own)


async def read(world: World, workload_id: str) -> runmetrics.RunMetrics:
    workload = await world.workload(workload_id)
    return await runmetrics.read(world.context.settings, world.store, workload)  # type: ignore[arg-type]


async def test_while_it_runs_and_after_it(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    assert (await read(world, workload_id)).series == {}, "nothing has begun"
    for _ in range(3):
        await world.round()
    folder = Path((await world.workload(workload_id)).attempts[-1].run_dir, "steps", STEP)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text('{"episode": 5, "reward": 1.5}\n')
    assert (await read(world, workload_id)).series == {"reward": ((5.0, 1.5),)}
    await finished(world, workload_id, rewards=RISING)
    kept = await read(world, workload_id)
    (points,) = kept.series.values()
    assert [y for _, y in points] == RISING
    world.store.down = True
    with pytest.raises(Unavailable):
        await read(world, workload_id)


async def test_a_file_past_its_caps_is_cut_and_said_so(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload_id = await world.submit(small)
    await finished(world, workload_id, rewards=RISING)
    prefix = log_prefix(workload_id, 1)
    (key,) = [key for bucket, key in world.store.objects if bucket == "logs" and key.endswith("metrics.jsonl")]
    assert key.startswith(prefix)
    monkeypatch.setattr(runmetrics, "MAX_BYTES", 100)
    found = await read(world, workload_id)
    (points,) = found.series.values()
    assert 0 < len(points) < len(RISING)
    (note,) = found.notes
    assert "only its first" in note
    world.store.objects["logs", key] = b""
    assert await read(world, workload_id) == runmetrics.RunMetrics()


def test_what_is_no_number_has_no_point() -> None:
    lines: list[dict[str, Any]] = [
        {"episode": 1, "a": True, "b": "x", "c": float("nan"), "d": 10**400, "reward": 2, "t": 5},
        {"reward": 3},
    ]
    assert points_of(lines) == {"reward": ((1.0, 2.0), (2.0, 3.0))}
