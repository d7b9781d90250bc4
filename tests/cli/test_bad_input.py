"""Bad files at the terminal: place, cure and exit code, nothing made."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from portal.cli.exits import Exit
from portal.db.models import App, Workload
from tests.cli.conftest import Road
from tests.hostile import HOSTILE, LONE_SURROGATE, NOT_IDS, NUL, TOO_LONG


def refused(road: Road, folder: Path, text: str | bytes, *said: str, code: int = Exit.INVALID) -> None:
    """`one submit` and `one validate` refuse the file, and say this."""
    path = folder / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    for verb in ("validate", "submit"):
        words = road.refused("kim", verb, str(path), code=code)
        for word in said:
            assert word in words, (verb, word, words)
        assert "Traceback" not in words
    assert road.do(road.world.rows, Workload) == []
    assert road.do(road.world.rows, App) == []


def with_value(spec: dict[str, Any], text: str) -> str:
    return json.dumps({**spec, "env_vars": {"X": text}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"app_id": "APP-X",\n "name" "x"}', ("$", "ine 2")),
        (b"[" * 200_000, ("$", "32 levels")),
        (b'{"a":' * 100_000, ("$", "32 levels")),
        (b'{"a": "' + b"x" * (10 << 20) + b'"}', ("2097152", "storage")),
        (b"\xff\xfe{}", ("UTF-8",)),
        (b"\x00" * 10, ("$",)),
    ],
    ids=["broken", "deep arrays", "deep objects", "10 MB", "no UTF-8", "NUL bytes"],
)
def test_files_that_are_no_spec(road: Road, tmp_path: Path, text: bytes, said: tuple[str, ...]) -> None:
    refused(road, tmp_path, text, *said)


def test_a_misspelt_field_with_the_likely_word(road: Road, tmp_path: Path, small: dict[str, Any]) -> None:
    resources = small["tasks"][0]["components"][0]["resources"]
    resources["memroy"] = resources.pop("memory")
    refused(road, tmp_path, json.dumps(small), "$.tasks[0].components[0].resources.memroy", "Did you mean memory?")


@pytest.mark.parametrize("text", [NUL, TOO_LONG, LONE_SURROGATE], ids=["NUL", "64 KiB", "lone surrogate"])
def test_values_that_no_spec_may_have(road: Road, tmp_path: Path, small: dict[str, Any], text: str) -> None:
    refused(road, tmp_path, with_value(small, text), "$.env_vars.X")


@pytest.mark.parametrize("place", ["app_id", "task_id", "component_id"])
def test_ids_that_are_none(road: Road, tmp_path: Path, small: dict[str, Any], place: str) -> None:
    for text in NOT_IDS:
        spec = copy.deepcopy(small)
        task = spec["tasks"][0]
        {"app_id": spec, "task_id": task, "component_id": task["components"][0]}[place][place] = text
        refused(road, tmp_path, json.dumps(spec), place)


def test_ten_thousand_components(road: Road, tmp_path: Path, small: dict[str, Any]) -> None:
    small["tasks"][0]["components"] = [{"component_id": f"C{number}"} for number in range(10_000)]
    refused(road, tmp_path, json.dumps(small), "$.tasks", "200")


def test_hostile_values_arrive_as_typed(road: Road, tmp_path: Path, small: dict[str, Any]) -> None:
    path = tmp_path / "app.json"
    for number, text in enumerate(HOSTILE.values()):
        path.write_text(with_value({**small, "version": f"1.0.{number}"}, text))
        made = road.json("kim", "submit", str(path))
        assert road.json("kim", "show", made["id"])["spec"]["env_vars"] == {"X": text}


def test_anothers_app_names_the_way_out(road: Road, tmp_path: Path, small: dict[str, Any]) -> None:
    path = tmp_path / "app.json"
    path.write_text(json.dumps(small))
    road.one("kim", "submit", str(path))
    path.write_text(json.dumps({**small, "version": "9.9.9"}))
    assert "--as-new-app" in road.refused("park", "submit", str(path), code=Exit.CONFLICT)
    assert len(road.do(road.world.rows, Workload)) == 1
