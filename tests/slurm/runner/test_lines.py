"""JSON lines on a file system that cannot be written for a while: nothing is lost, nothing doubled, nobody dies of it."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from slurm.inside.lines import Lines
from slurm.inside.runner_files import Events, Refused


class Disk:
    """os.write on a file system with so many bytes left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, file: int, data: bytes) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(file, data[: self.left])
        self.left -= written
        return written


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("left", [0, 1, 40])
def test_a_full_file_system_holds_lines_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    path = tmp_path / "events.jsonl"
    disk = Disk(monkeypatch, left)
    events = Lines(str(path))
    for number in range(3):
        events.write(number=number)
    assert path.stat().st_size == left
    disk.left = 1 << 20
    events.write(number=3)
    assert numbers(path) == [0, 1, 2, 3]


def test_a_read_only_file_system_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    real = os.open
    sleeps: list[float] = []

    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 3:
            monkeypatch.setattr(os, "open", real)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(time, "sleep", sleep)
    events = Lines(str(path))
    events.write(number=1)
    assert events.settle()
    assert (len(sleeps), numbers(path)) == (3, [1])


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch, 0)
    events = Lines(str(tmp_path / "events.jsonl"))
    events.write(number=1)
    assert not events.settle(patience_s=0)


def test_an_attempt_that_cannot_be_claimed_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be written"):
        Events(str(tmp_path / "absent" / "events.jsonl"))
    Events(str(tmp_path / "events.jsonl"))
    with pytest.raises(Refused, match="has run already"):
        Events(str(tmp_path / "events.jsonl"))
