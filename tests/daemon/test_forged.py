"""Run directories that lie: what a job's user can put there never becomes a success, a stuck daemon or a silent loss."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.db.models import DurationSample, Event, Workload
from portal.domain.failure import words_of
from portal.rundir import Limits, RunDir
from tests.daemon.world import World

pytestmark = pytest.mark.anyio
RISING = [10.0, 12.0, 15.0, 14.0, 20.0, 25.0, 26.0, 30.0, 33.0, 40.0]
Forge = Callable[[Path], None]


async def running(world: World, spec: dict[str, Any]) -> str:
    """A workload that Slurm runs."""
    workload_id = await world.submit(spec)
    for _ in range(6):
        await world.round()
        if (await world.workload(workload_id)).state == "running":
            return workload_id
    raise AssertionError(await world.events(workload_id))


async def ended(world: World, workload_id: str) -> Workload:
    """The workload after some rounds; one that is held up forever fails here."""
    for _ in range(6):
        await world.round()
    workload = await world.workload(workload_id)
    assert workload.ended_at is not None, (workload.state, await world.events(workload_id))
    return workload


async def folder_of(world: World, workload_id: str) -> Path:
    return Path((await world.workload(workload_id)).attempts[-1].run_dir)


async def said(world: World, workload_id: str, kind: str) -> dict[str, Any]:
    """The data of the one event of this kind."""
    (found,) = [event for event in await world.rows(Event) if event.workload_id == workload_id and event.kind == kind]
    json.dumps(found.data, ensure_ascii=False, allow_nan=False).encode()
    data: dict[str, Any] = found.data
    return data


def rewritten(change: Callable[[list[dict[str, Any]]], Any]) -> Forge:
    """A forger that changes the lines of the runner's events."""

    def forge(folder: Path) -> None:
        path = folder / "events.0.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(line) + "\n" for line in change(lines) or lines))

    return forge


def replaced(make: Callable[[Path], Any]) -> Forge:
    """A forger that puts something else in the place of the runner's events."""

    def forge(folder: Path) -> None:
        path = folder / "events.0.jsonl"
        path.unlink()
        make(path)

    return forge


def _linked(path: Path) -> None:
    (path.parent / "another").write_text("")
    os.link(path.parent / "another", path)


def _of_holes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _own_success(path: Path) -> None:
    path.write_text('{"t": 1, "event": "runner_started"}\n{"t": 2, "event": "runner_ended", "ok": true}\n')


FORGED: dict[str, tuple[Forge, str]] = {
    "a link": (replaced(lambda path: path.symlink_to("/etc/passwd")), "events.0.jsonl: a symbolic link"),
    "a FIFO": (replaced(os.mkfifo), "events.0.jsonl: not a regular file"),
    "a folder": (replaced(Path.mkdir), "events.0.jsonl: not a regular file"),
    "a hard link": (replaced(_linked), "events.0.jsonl: has 2 hard links"),
    "a terabyte of holes": (replaced(_of_holes), "events.0.jsonl: 1099511627776 bytes"),
    "millions of lines": (replaced(lambda path: path.write_bytes(b"{}\n" * 1_300_000)), "more than 20000 lines"),
    "a huge line": (replaced(lambda path: path.write_bytes(b"x" * 5_000_000 + b"\n")), "more than 4194304 bytes"),
    "no UTF-8": (replaced(lambda path: path.write_bytes(b"\xff\xfe\n" * 9)), "line 1: not an event line"),
    "success without steps": (replaced(_own_success), "first_failure"),
    "foreign steps": (
        rewritten(lambda lines: [{**line, "step": "TASK-9/X"} if "step" in line else line for line in lines]),
        "unknown step 'TASK-9/X'",
    ),
    "the future": (rewritten(lambda lines: [{**line, "t": 5e9} for line in lines]), "s too far in the future"),
    "no number": (rewritten(lambda lines: [{**line, "t": float("nan")} for line in lines]), "t is not a number"),
    "no end": (rewritten(lambda lines: [{**line, "t": 10**400} for line in lines]), "t is not a time"),
}


@pytest.mark.parametrize("name", FORGED)
async def test_forged_events_are_named_and_make_no_success(world: World, small: dict[str, Any], name: str) -> None:
    forge, why = FORGED[name]
    workload_id = await running(world, small)
    await world.play(workload_id, rewards=RISING)
    forge(await folder_of(world, workload_id))
    workload = await ended(world, workload_id)
    assert workload.state == "failed"
    assert await world.models() == []
    if name == "success without steps":
        assert workload.failure is not None
        assert workload.failure["cause"] == "no_report"
        return
    data = await said(world, workload_id, "report_refused")
    assert why in data["refused"][0], data
    assert len(data["refused"]) <= 51
    for words in words_of(workload.failure or {}):
        assert why in words


async def test_a_forged_success_is_none_when_slurm_says_otherwise(world: World, small: dict[str, Any]) -> None:
    workload_id = await running(world, small)
    await world.play(workload_id, fail="TASK-001/CL-REF-002")
    attempt = (await world.workload(workload_id)).attempts[-1]
    world._write_events(await world.workload(workload_id), attempt, 0, RISING, "")
    workload = await ended(world, workload_id)
    assert workload.state == "failed"
    assert words_of(workload.failure or {})[1] == "The runner reported success, but Slurm's state is FAILED."
    assert await world.models() == []


def _metrics_linked(folder: Path) -> str:
    path = folder / "steps/TASK-001/CL-REF-002/metrics.jsonl"
    path.unlink(missing_ok=True)
    path.symlink_to("/etc/passwd")
    return "logs_saved"


def _metrics_hostile(folder: Path) -> str:
    lines = [
        '{"reward": 1' + "0" * 400 + "}",
        '{"reward": 1.7e308}',
        '{"reward": 1.7e308}',
        '{"\\ud800": 1, "\\u0000": 2}',
    ]
    lines += ["[" * 60_000, '{"a": NaN}', "\ufeff{}", '{"' + "k" * 60_000 + '": 1}']
    (folder / "steps/TASK-001/CL-REF-002/metrics.jsonl").write_text("\n".join(lines) + "\n")
    return ""


def _model_of_a_terabyte(folder: Path) -> str:
    _of_holes(folder / "model/big")
    return "model_saved"


def _model_linked(folder: Path) -> str:
    (folder / "model/policy.safetensors").unlink()
    (folder / "model").rmdir()
    (folder / "model").symlink_to("/etc")
    return "no_model"


def _model_with_bad_names(folder: Path) -> str:
    (folder / os.fsdecode(b"model/\xff")).touch()
    (folder / "model/two\nlines").touch()
    return "model_saved"


def _logs_linked(folder: Path) -> str:
    (folder / "steps/TASK-001/CL-REF-002/t1").rename(folder / "elsewhere")
    (folder / "steps/TASK-001/CL-REF-002/t1").symlink_to(folder / "elsewhere")
    return "logs_saved"


@pytest.mark.parametrize(
    "forge",
    [
        _metrics_linked,
        _metrics_hostile,
        _model_of_a_terabyte,
        _model_linked,
        _model_with_bad_names,
        _logs_linked,
    ],
)
async def test_forged_results_are_named_and_hold_nothing_up(
    world: World, small: dict[str, Any], forge: Callable[[Path], str]
) -> None:
    workload_id = await running(world, small)
    await world.play(workload_id, rewards=RISING)
    kind = forge(await folder_of(world, workload_id))
    assert (await ended(world, workload_id)).state == "completed"
    if kind:
        assert (await said(world, workload_id, kind))["refused"]
    for model in await world.models():
        text = json.dumps(model.manifest, ensure_ascii=False, allow_nan=False)
        assert "\\u0000" not in text
        text.encode()


async def test_a_model_of_too_many_files_is_none(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.daemon.context.RunDir", functools.partial(RunDir, limits=Limits(tree_files=30)))
    workload_id = await running(world, small)
    await world.play(workload_id, rewards=RISING)
    folder = await folder_of(world, workload_id)
    for number in range(31):
        (folder / f"model/{number}").touch()
    assert (await ended(world, workload_id)).state == "completed"
    assert await world.models() == []
    (why,) = (await said(world, workload_id, "no_model"))["refused"]
    assert why.startswith("model: more than 30 files")


async def test_a_model_file_that_changes_while_it_is_stored_is_left_out(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload_id = await running(world, small)
    await world.play(workload_id, rewards=RISING)
    folder = await folder_of(world, workload_id)
    (folder / "model/stays").write_text("stays")
    put = world.store.put_file

    async def put_file(bucket: str, key: str, file: Any, size: int, content_type: str = "") -> None:
        if key.endswith("policy.safetensors"):
            (folder / "model/policy.safetensors").write_bytes(b"cut")
        await put(bucket, key, file, size, content_type)

    monkeypatch.setattr(world.store, "put_file", put_file)
    assert (await ended(world, workload_id)).state == "completed"
    (model,) = await world.models()
    assert model.manifest is not None
    assert [file["path"] for file in model.manifest["files"]] == ["stays"]
    assert (await said(world, workload_id, "model_saved"))["refused"] == [
        "model/policy.safetensors: changed while it was copied"
    ]


async def test_a_model_of_nothing_but_refused_files_is_no_model(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload_id = await running(world, small)
    await world.play(workload_id, rewards=RISING)
    path = await folder_of(world, workload_id) / "model/policy.safetensors"
    put = world.store.put_file

    async def put_file(bucket: str, key: str, file: Any, size: int, content_type: str = "") -> None:
        if bucket == "models":
            path.write_bytes(b"longer than it was")
        await put(bucket, key, file, size, content_type)

    monkeypatch.setattr(world.store, "put_file", put_file)
    assert (await ended(world, workload_id)).state == "completed"
    (model,) = await world.models()
    assert (model.state, model.manifest) == ("save_failed", None)
    assert "changed while it was copied" in model.error
    assert (await said(world, workload_id, "no_model"))["refused"]


async def test_forged_durations_do_not_become_everybodys_expectation(world: World, small: dict[str, Any]) -> None:
    workload_id = await running(world, small)
    await world.play(workload_id, rewards=RISING)

    def slow(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["event"] == "step_ended" and line["step"] == "TASK-001/CL-REF-002":
                line["t"] = 1e9

    rewritten(slow)(await folder_of(world, workload_id))
    assert (await ended(world, workload_id)).state == "completed"
    samples = {sample.component_id for sample in await world.rows(DurationSample)}
    assert "CL-REF-001" in samples
    assert "CL-REF-002" not in samples
