"""Logs: the same answers from the run directory and from S3, for whom they are, followed without loss."""

from __future__ import annotations

import os
import pwd
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from portal.db.engine import transaction
from portal.db.models import App
from portal.services import logfollow, logs
from portal.services.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from portal.services.logfollow import Cursor, LogHub, Piece, StateChange, follow, parse_cursor, whole_lines
from portal.services.logs import CHUNK_BYTES, RunLogs
from portal.services.logsource import LogFile, RunDirLogs, wanted
from tests.daemon.test_road import finished
from tests.daemon.world import World

STEP = "TASK-001/CL-REF-002"


@pytest.fixture(autouse=True)
def _own_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    own = pwd.getpwuid(os.getuid())
    monkeypatch.setattr("portal.services.logsource.pwd.getpwnam", lambda name: own)


async def running(world: World, spec: dict[str, Any]) -> tuple[str, Path]:
    """A workload that runs, and the folder of its steps."""
    workload_id = await world.submit(spec)
    for _ in range(4):
        await world.round()
        workload = await world.workload(workload_id)
        if workload.state == "running":
            return workload_id, Path(workload.attempts[-1].run_dir) / "steps"
    raise AssertionError(workload.state)


def write(steps: Path, text: bytes, step: str = STEP, stream: str = "stdout", attempt_try: int = 1) -> None:
    """Append to a log as the launcher does."""
    path = steps / step / f"t{attempt_try}" / f"{stream}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(text)


async def opened(world: World, workload_id: str, who: str = "kim", attempt: int | None = None) -> RunLogs:
    settings, store = world.context.settings, world.store
    async with world.maker() as session:
        return await logs.open_logs(session, world.actors[who], settings, store, workload_id, attempt)  # type: ignore[arg-type]


async def test_nothing_yet(world: World, small: dict[str, Any]) -> None:
    found = await opened(world, await world.submit(small))
    assert (found.attempt, found.source, found.files) == (0, None, ())


async def test_files_in_the_order_of_the_spec_with_tries_and_streams(world: World, small: dict[str, Any]) -> None:
    workload_id, steps = await running(world, small)
    write(steps, b"late", "TASK-002/CL-REF-010")
    write(steps, b"one")
    write(steps, b"err", stream="stderr")
    write(steps, b"two", attempt_try=2)
    (steps.parent / "steps" / STEP / "t1" / "other.log").write_bytes(b"never listed")
    found = await opened(world, workload_id)
    assert [(file.step, file.attempt_try, file.stream, file.size) for file in found.files] == [
        (STEP, 1, "stdout", 3),
        (STEP, 1, "stderr", 3),
        (STEP, 2, "stdout", 3),
        ("TASK-002/CL-REF-010", 1, "stdout", 4),
    ]
    assert logs.one_file(found, STEP, "stdout").attempt_try == 2
    first = logs.one_file(found, STEP, "stdout", attempt_try=1)
    assert await logs.read(found, first, 1, 10) == (1, b"ne")
    assert await logs.read(found, first, -2, 10) == (1, b"ne")
    assert await logs.read(found, first, 99, 10) == (99, b"")
    with pytest.raises(NotFound):
        logs.one_file(found, "TASK-001/CL-REF-001", "stdout")
    with pytest.raises(NotFound):
        await opened(world, workload_id, attempt=2)


async def test_batch_output_is_system_and_only_on_request(world: World, small: dict[str, Any]) -> None:
    workload_id, steps = await running(world, small)
    (world.context.settings.storage.runs / ".out" / f"{workload_id}-a1-j0.log").write_bytes(b"runner says\n")
    write(steps, b"step says\n")
    found = await opened(world, workload_id)
    assert [file.step for file in wanted(found.files, "", None)] == [STEP]
    (system,) = wanted(found.files, "system", None)
    assert await logs.read(found, system, 0, 100) == (0, b"runner says\n")


async def test_after_the_end_s3_answers_the_same(world: World, small: dict[str, Any]) -> None:
    workload_id = await world.submit(small)
    await finished(world, workload_id)
    stored = await opened(world, workload_id)
    assert (stored.source and stored.source.name, stored.ended) == ("s3", True)
    file = logs.one_file(stored, STEP, "stdout")
    assert await logs.read(stored, file, len(STEP), 100) == (len(STEP), " says 안녕\n".encode())
    world.store.down = True
    local = await opened(world, workload_id)
    assert local.source is not None
    assert local.source.name == "run_directory"
    assert local.files == stored.files


async def test_a_link_is_refused_and_named(world: World, small: dict[str, Any]) -> None:
    workload_id, steps = await running(world, small)
    write(steps, b"x")
    path = steps / STEP / "t1" / "stdout.log"
    path.unlink()
    path.symlink_to("/etc/shadow")
    with pytest.raises(Unavailable, match="symbolic link"):
        await opened(world, workload_id)


async def test_who_may_read(world: World, small: dict[str, Any]) -> None:
    workload_id, steps = await running(world, small)
    write(steps, b"x")
    for insider in ("kim", "admin"):
        assert (await opened(world, workload_id, insider)).files
    with pytest.raises(Forbidden) as refused:
        await opened(world, workload_id, "park")
    assert refused.value.code == "logs_not_shared"
    async with transaction(world.maker) as session:
        (await session.get_one(App, small["app_id"])).share_logs = True
    assert (await opened(world, workload_id, "park")).files
    async with transaction(world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    with pytest.raises(NotFound):
        await opened(world, workload_id, "park")


@pytest.mark.parametrize(
    ("data", "final", "shown"),
    [
        (b"a\nb", False, b"a\n"),
        (b"a\nb", True, b"a\nb"),
        (b"no end", False, b""),
        (b"10%\r20%", False, b"10%\r"),
        (b"x" * 9000, False, b"x" * 9000),
        (("가" * 3000).encode()[:-1], False, ("가" * 2999).encode()),
        (("가" * 3000).encode(), False, ("가" * 3000).encode()),
        (b"\xff" * 9000, False, b"\xff" * 8999),
        (b"\x80" * 9000, False, b"\x80" * 9000),
        (b"x" * (CHUNK_BYTES - 2) + b"\ny", True, b"x" * (CHUNK_BYTES - 2) + b"\n"),
    ],
)
def test_whole_lines(data: bytes, final: bool, shown: bytes) -> None:
    assert whole_lines(data, final=final) == shown


@pytest.mark.parametrize("text", ["x", "1;a", "1;a=-1", "1;a=b", ";", "1;=\0"])
def test_bad_cursors(text: str) -> None:
    with pytest.raises(Invalid):
        parse_cursor(text)


def test_a_cursor_survives_being_text() -> None:
    file = LogFile(STEP, 0, 1, "stdout")
    cursor = Cursor(2).moved(file, 17).moved(LogFile(STEP, 3, 2, "stderr"), 4)
    again = parse_cursor(cursor.text())
    assert again == cursor
    assert again.of(file) == 17


class Turns:
    """Plays the waiting of a follower: each wait runs the next of the given actions."""

    def __init__(self, *actions: Any) -> None:
        self.actions = list(actions)

    async def sleep(self, _seconds: float) -> None:
        action = self.actions.pop(0)
        result = action()
        if result is not None:
            await result


async def pieces(source: AsyncIterator[Any]) -> list[Any]:
    return [piece async for piece in source if piece is not None]


async def allowed() -> None:
    """Still allowed."""


async def test_following_loses_nothing_and_ends_with_the_run(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload_id, steps = await running(world, small)
    write(steps, b"one\ntw")

    async def end() -> None:
        leader = (await world.workload(workload_id)).attempts[0].jobs[0].leader_id
        world.cluster.cancel(leader or 0)
        await world.round()

    turns = Turns(lambda: write(steps, b"o\n"), lambda: write(steps, "셋".encode()), end)
    monkeypatch.setattr(anyio, "sleep", turns.sleep)
    monkeypatch.setattr(logfollow, "LOOK_INTERVAL_S", 0)
    hub = LogHub(world.maker, world.context.settings, world.store)  # type: ignore[arg-type]
    seen = await pieces(follow(hub, workload_id, Cursor(), component="CL-REF-002", recheck=allowed))
    assert isinstance(seen[0], StateChange)
    assert seen[0].state == "running"
    assert "".join(piece.text for piece in seen if isinstance(piece, Piece)) == "one\ntwo\n셋"
    assert isinstance(seen[-1], StateChange)
    assert (seen[-1].state, seen[-1].ended) == ("cancelled", True)
    # whoever comes back with a cursor gets the rest, byte for byte
    whole = "".join(piece.text for piece in seen if isinstance(piece, Piece))
    position = next(piece.cursor for piece in seen if isinstance(piece, Piece))
    resumed = await pieces(
        follow(hub, workload_id, parse_cursor(position.text()), component="CL-REF-002", recheck=allowed)
    )
    assert "one\n" + "".join(piece.text for piece in resumed if isinstance(piece, Piece)) == whole


async def test_a_reader_who_lost_the_right_is_stopped(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload_id, _ = await running(world, small)

    async def revoked() -> None:
        raise Unauthenticated("token_revoked", "revoked", "폐기")

    monkeypatch.setattr(logfollow, "RECHECK_INTERVAL_S", -1)
    hub = LogHub(world.maker, world.context.settings, world.store)  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated):
        await pieces(follow(hub, workload_id, Cursor(), recheck=revoked))


async def test_many_followers_are_one_look(world: World, small: dict[str, Any]) -> None:
    workload_id, steps = await running(world, small)
    write(steps, b"one\n")
    hub = LogHub(world.maker, world.context.settings, world.store)  # type: ignore[arg-type]
    first = await hub.look(workload_id)
    write(steps, b"two\n")
    assert await hub.look(workload_id) is first
    (file,) = wanted(first.files, "", None)
    assert await hub.chunk(first, file, 0) == b"one\n"


@pytest.mark.parametrize("followers", [1, 200])
async def test_followers_of_logs_and_states_cost_one_reader(
    world: World, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch, followers: int
) -> None:
    """State and first lines, asked for by all of them at the same moment, and again when there is more."""
    workload_id, steps = await running(world, small)
    write(steps, b"one\n")
    cost: Counter[str] = Counter()
    look, read = logs.logs_of, RunDirLogs.read

    async def counted_look(*arguments: Any) -> RunLogs:
        cost["looks"] += 1
        return await look(*arguments)

    async def counted_read(source: RunDirLogs, *arguments: Any) -> bytes:
        cost["reads"] += 1
        return await read(source, *arguments)

    monkeypatch.setattr(logfollow, "logs_of", counted_look)
    monkeypatch.setattr(RunDirLogs, "read", counted_read)
    monkeypatch.setattr(logfollow, "LOOK_INTERVAL_S", 3600)  # a look is as good as new for as long as this test runs
    hub = LogHub(world.maker, world.context.settings, world.store)  # type: ignore[arg-type]
    seen: list[tuple[str, str]] = []

    async def follower() -> None:
        source = follow(hub, workload_id, Cursor(), component="CL-REF-002", recheck=allowed)
        state, piece = await anext(source), await anext(source)
        assert isinstance(state, StateChange)
        assert isinstance(piece, Piece)
        seen.append((state.state, piece.text))

    async with anyio.create_task_group() as group:
        for _ in range(followers):
            group.start_soon(follower)
    assert seen == [("running", "one\n")] * followers
    assert cost == {"looks": 1, "reads": 1}
    assert hub._reading == {}


async def test_a_follower_of_nothing(world: World) -> None:
    hub = LogHub(world.maker, world.context.settings, world.store)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await hub.look("W-NONE")
    with pytest.raises(NotFound):
        await opened(world, "W-NONE")
