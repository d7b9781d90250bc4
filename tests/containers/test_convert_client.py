"""The daemon's side: progress, the answer, and what a silent or broken service looks like."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from containers.convert_client import Converted, Progress, Service, as_child, at_socket, convert, remove
from containers.errors import ConversionFailed
from containers.image import ImageConfig

DIGEST = "sha256:" + "ab" * 32
DONE = {"ok": True, "sif": "/i/x.sif", "size": 5, "config": {"Cmd": ["a"]}}


@asynccontextmanager
async def service(folder: Path, answer: bytes, asked: list[bytes], *, hang: bool = False) -> AsyncIterator[Path]:
    path = folder / "s"

    async def handle(client: SocketStream) -> None:
        async with client:
            asked.append(await client.receive())
            await client.send(answer)
            if hang:
                await anyio.sleep_forever()

    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield path
        tasks.cancel_scope.cancel()


def lines(*answers: object) -> bytes:
    return b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)


async def test_progress_and_the_answer(tmp_path: Path) -> None:
    asked: list[bytes] = []
    answer = lines({"progress": "unpacking"}, {"progress": "한국어"}, DONE)
    async with service(tmp_path, answer, asked) as path:
        got = [event async for event in convert(at_socket(path), "r.test/a", DIGEST, in_use={DIGEST})]
    assert got == [Progress("unpacking"), Progress("한국어"), Converted(Path("/i/x.sif"), 5, ImageConfig(cmd=("a",)))]
    assert json.loads(asked[0]) == {"reference": "r.test/a", "digest": DIGEST, "in_use": [DIGEST]}


async def test_remove(tmp_path: Path) -> None:
    asked: list[bytes] = []
    async with service(tmp_path, lines({"ok": True, "freed": 7}), asked) as path:
        assert await remove(at_socket(path), DIGEST) == 7
    assert json.loads(asked[0]) == {"remove": DIGEST}


async def drain(path: Path, timeout_s: float = 5) -> None:
    async for _ in convert(at_socket(path), "r.test/a", DIGEST, timeout_s=timeout_s):
        pass


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lines({"ok": False, "error": "no_space", "message": "full"}), "no_space"),
        (lines({"progress": "a"}), "unreachable"),
        (b"", "unreachable"),
        (b"not json\n", "failed"),
        (b"[]\n", "failed"),
        (lines({"ok": True}), "failed"),
        (lines(DONE | {"config": {"Cmd": "sh"}}), "failed"),
    ],
)
async def test_failures_have_the_protocols_words(tmp_path: Path, answer: bytes, error: str) -> None:
    async with service(tmp_path, answer, []) as path:
        with pytest.raises(ConversionFailed) as caught:
            await drain(path)
    assert caught.value.error == error


async def test_a_silent_service_is_unreachable(tmp_path: Path) -> None:
    async with service(tmp_path, lines({"progress": "a"}), [], hang=True) as path:
        with pytest.raises(ConversionFailed, match="no answer within") as caught:
            await drain(path, timeout_s=0.1)
    assert caught.value.error == "unreachable"


async def test_no_service_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed) as caught:
        await drain(tmp_path / "missing")
    assert caught.value.error == "unreachable"


CHILD = """
import json, os, sys, time
request = json.loads(sys.stdin.readline())
print(json.dumps({"progress": " ".join([str(os.getpid()), *sorted(os.environ)])}), flush=True)
%s
"""


def child(rest: str) -> Service:
    argv = [sys.executable, "-I", "-S", "-c", CHILD % rest]
    return as_child(argv, {"PATH": "/usr/bin:/bin"})


async def test_a_child_converts_with_nothing_of_our_environment() -> None:
    got = [event async for event in convert(child(f"print({json.dumps(DONE)!r})"), "r.test/a", DIGEST)]
    assert got[-1] == Converted(Path("/i/x.sif"), 5, ImageConfig(cmd=("a",)))
    assert isinstance(got[0], Progress)
    pid, *variables = got[0].text.split()
    assert set(variables) <= {"PATH", "LC_CTYPE"}
    assert not Path("/proc", pid).exists()


@pytest.mark.parametrize("rest", ["sys.exit(1)", "print('not json')", "time.sleep(60)"])
async def test_a_child_that_ends_or_hangs_leaves_nothing_running(rest: str) -> None:
    said: list[str] = []

    async def listen() -> None:
        async for event in convert(child(rest), "r.test/a", DIGEST, timeout_s=2):
            assert isinstance(event, Progress)
            said.append(event.text)

    with pytest.raises(ConversionFailed) as caught:
        await listen()
    assert caught.value.error == ("failed" if "json" in rest else "unreachable")
    (line,) = said
    assert not Path("/proc", line.split()[0]).exists()


async def test_a_child_that_cannot_be_started_is_unreachable() -> None:
    with pytest.raises(ConversionFailed) as caught:
        await remove(as_child(["/nowhere/one-convert"], {}), DIGEST)
    assert caught.value.error == "unreachable"
