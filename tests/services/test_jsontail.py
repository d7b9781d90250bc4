"""Following a file of JSON lines: each line once, whole lines only, whatever a job writes there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from portal.rundir import Limits, Refused, RunDir
from portal.services.jsontail import JsonTail


def folder_in(path: Path, **limits: int) -> RunDir:
    (path / "run").mkdir(exist_ok=True)
    return RunDir(path, "run", os.getuid(), Limits(**limits))


def test_each_line_comes_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    folder, tail = folder_in(tmp_path), JsonTail("metrics.jsonl")
    assert list(tail.new(folder)) == []
    file = tmp_path / "run" / "metrics.jsonl"
    file.write_text('{"a": 1}\n{"a": 2}\n{"a"')
    assert list(tail.new(folder)) == [{"a": 1}, {"a": 2}]
    assert list(tail.new(folder)) == []
    with file.open("a") as more:
        more.write(": 3}\n")
    assert list(tail.new(folder)) == [{"a": 3}]


def test_what_is_no_object_or_too_long_is_passed_over(tmp_path: Path) -> None:
    folder, tail = folder_in(tmp_path, line_bytes=100), JsonTail("m")
    long = json.dumps({"a": "x" * 500})
    (tmp_path / "run" / "m").write_text(f"no json\n[1]\n\n{long}\n{'[' * 90}\n" + '{"a": NaN}\n' + long)
    assert list(tail.new(folder)) == [{"a": "NaN"}]
    with (tmp_path / "run" / "m").open("a") as more:
        more.write('{"b": 1}\n{"c": 1}\n')
    assert list(tail.new(folder)) == [{"c": 1}], "the end of a long line is part of it"


def test_a_link_is_refused(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    (tmp_path / "run" / "m").symlink_to("/etc/passwd")
    with pytest.raises(Refused):
        list(JsonTail("m").new(folder))
