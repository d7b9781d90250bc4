"""A run as it is: step states, metrics and use from its files, read once for all who ask at the same time."""

from __future__ import annotations

import json
import pwd
from pathlib import Path
from typing import Any

import pytest

from portal.db.models import Workload
from portal.rundir import RunDir
from portal.services import runwatch
from portal.services.runwatch import RunWatch
from tests.daemon.conftest import database_url, example, small, world
from tests.daemon.world import World, own_uid

__all__ = ["database_url", "example", "small", "world"]
STEP = "TASK-001/CL-REF-001"


@pytest.fixture
async def running(world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Workload:
    own = pwd.getpwuid(own_uid("me"))
    monkeypatch.setattr("portal.services.runfolder.pwd.getpwnam", lambda name: own)
    monkeypatch.setattr(runwatch, "LOOK_INTERVAL_S", 0.0)
    workload_id = await world.submit(small)
    for _ in range(3):
        await world.round()
    return await world.workload(workload_id)


def write(workload: Workload, path: str, *lines: dict[str, Any]) -> None:
    file = Path(workload.attempts[-1].run_dir, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)


def begin(workload: Workload) -> None:
    started = {"event": "step_started", "step": STEP, "try": 1, "iteration": 1, "group": 0, "hosts": ["gpu1"], "t": 2.0}
    write(workload, "events.0.jsonl", {"event": "runner_started", "het_size": 2, "host": "gpu1", "t": 1.0}, started)


async def test_what_the_files_say_before_the_daemon_has_read_them(world: World, running: Workload) -> None:
    watch = RunWatch(world.context.settings)
    attempt = running.attempts[-1]
    before = await watch.look(running, attempt)
    assert before.series == {}
    begin(running)
    write(
        running,
        f"steps/{STEP}/metrics.jsonl",
        {"episode": 1, "reward": 60.5, "note": "x"},
        {"episode": 2, "reward": 61},
    )
    write(running, f"steps/{STEP}/t1/events.0.jsonl", {"event": "started", "rank": 0, "gpus": [2, 3], "t": 2.0})
    use = {
        "rss_mib": 900.0,
        "gpus": [{"index": 2, "util": 80, "mem_mib": 100}, {"index": 3, "util": 60, "mem_mib": 50}],
    }
    write(
        running, f"steps/{STEP}/t1/usage.0.jsonl", {"t": 10.0, "cpu_s": 1.0, **use}, {"t": 20.0, "cpu_s": 16.0, **use}
    )
    seen = await watch.look(running, attempt)
    assert seen.report["steps"][STEP]["state"] == "running"
    assert seen.series[STEP] == {"reward": ((1.0, 60.5), (2.0, 61.0))}
    assert seen.gpus[STEP] == (2, 3)
    said = seen.uses[STEP]
    assert (said.peak_memory_mib, said.cores, said.gpu_mean, said.gpu_memory_mib) == (900.0, 1.5, 70.0, 150.0)
    assert seen.mark != before.mark
    assert (await watch.look(running, attempt)).mark == seen.mark, "the same is the same"


async def test_a_file_is_read_once_for_all_who_ask_and_only_what_is_new(
    world: World, running: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(running)
    path = f"steps/{STEP}/metrics.jsonl"
    write(running, path, *({"episode": number, "reward": 1.0} for number in range(100)))
    asked: list[tuple[str, int]] = []
    real = RunDir.read

    def read(self: RunDir, name: str, offset: int = 0, limit: int = 1 << 20) -> bytes:
        asked.append((name, offset))
        return real(self, name, offset, limit)

    monkeypatch.setattr(RunDir, "read", read)
    monkeypatch.setattr(runwatch, "LOOK_INTERVAL_S", 60.0)
    watch = RunWatch(world.context.settings)
    looks = [await watch.look(running, running.attempts[-1]) for _ in range(20)]
    assert len({id(look) for look in looks}) == 1
    assert [offset for name, offset in asked if name == path] == [0]
    monkeypatch.setattr(runwatch, "LOOK_INTERVAL_S", 0.0)
    size = Path(running.attempts[-1].run_dir, path).stat().st_size
    await watch.look(running, running.attempts[-1])
    assert [offset for name, offset in asked if name == path] == [0, size]


async def test_a_long_series_is_kept_thin(world: World, running: Workload) -> None:
    begin(running)
    lines = ({"episode": number, "reward": float(number % 97)} for number in range(20_000))
    write(running, f"steps/{STEP}/metrics.jsonl", *lines)
    seen = await RunWatch(world.context.settings).look(running, running.attempts[-1])
    points = seen.series[STEP]["reward"]
    assert len(points) <= 2 * 2000
    assert points[0][0] == 0.0
    assert points[-1][0] == 19_999.0


async def test_what_cannot_be_read_is_said_and_the_daemons_report_counts(
    world: World, running: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr("portal.services.runfolder.pwd.getpwnam", nobody)
    seen = await RunWatch(world.context.settings).look(running, running.attempts[-1])
    assert "no Unix user" in seen.trouble
