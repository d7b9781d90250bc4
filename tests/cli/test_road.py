"""The road from the terminal: every verb against the real application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from portal.daemon import resolving
from slurm.records import ClusterVersion
from tests.cli.conftest import Road
from tests.daemon.test_road import RISING, finished


@pytest.fixture
def small_file(tmp_path: Path, small: dict[str, Any]) -> str:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(small, ensure_ascii=False))
    return str(path)


@pytest.fixture
def big_file(tmp_path: Path, example: dict[str, Any]) -> str:
    path = tmp_path / "big.json"
    path.write_text(json.dumps(example))
    return str(path)


def test_submit_show_logs_model(road: Road, small_file: str, tmp_path: Path) -> None:
    assert "0 errors" in road.one("kim", "validate", small_file), "the library lacks its components: warnings"
    assert road.one("kim", "plan", small_file)
    assert road.one("kim", "plan", small_file, "--script").startswith("#!")
    assert road.json("kim", "plan", small_file)["plan"]["jobs"]
    said = road.one("kim", "submit", small_file, "--name", "first", "--set", "training_config.episodes=7")
    (listed,) = road.json("kim", "list", "--mine")["items"]
    workload_id = listed["id"]
    assert listed["trainingConfig"]["episodes"] == 7
    assert said.startswith(f"Submitted: {workload_id} (Submitted · Checks before start)\n")
    assert f"one why {workload_id}" in said
    assert road.one("kim", "why", workload_id)
    road.do(finished, road.world, workload_id, rewards=RISING)
    assert "Completed" in road.one("kim", "show", workload_id)
    assert road.json("kim", "show", workload_id)["state"] == "completed"
    merged = road.one("kim", "logs", workload_id)
    assert "[CL-REF-002] TASK-001/CL-REF-002 says 안녕\n" in merged
    for component in ("CL-REF-002", "TASK-001/CL-REF-002", "rl-agent"):
        assert road.one("kim", "logs", workload_id, "-c", component) == "TASK-001/CL-REF-002 says 안녕\n"
    followed = road.one("kim", "logs", workload_id, "-f")
    assert sorted(followed.splitlines()) == sorted(merged.splitlines())
    assert "first-final" in road.one("kim", "models", "list")
    assert "policy.safetensors" in road.one("kim", "models", "show", "APP-SMALL1", "1")
    assert "sha256 verified" in road.one("kim", "models", "download", "APP-SMALL1", "1")
    assert (tmp_path / "APP-SMALL1-v1" / "policy.safetensors").read_bytes() == b"weights"
    assert "is there already" in road.one("kim", "models", "download", "APP-SMALL1", "1")
    road.one("viewer", "models", "download", "APP-SMALL1", "1", "--to", "elsewhere", code=4)
    road.one("kim", "models", "purge", "APP-SMALL1", "1", "--name", "other", code=7)
    road.one("kim", "models", "save-again", "APP-SMALL1", "1", code=6)
    assert "being deleted" in road.one("kim", "models", "purge", "APP-SMALL1", "1", "--name", "first-final")
    assert road.json("kim", "models", "show", "APP-SMALL1", "1")["asked"] == "purge"


def test_what_a_submission_asks_to_be_told(road: Road, small_file: str) -> None:
    assert road.json("kim", "submit", small_file, "--notify", "end, start")["notify"] == ["start", "end"]
    assert road.json("kim", "submit", small_file)["notify"] == []
    road.one("kim", "submit", small_file, "--notify", "stop", code=2)
    assert len(road.json("kim", "list", "--mine")["items"]) == 2


def test_the_gate(road: Road, big_file: str) -> None:
    dry = road.one("kim", "submit", big_file, "--dry-run")
    assert "Needs approval: rl-agent GPU 4" in dry
    assert road.json("kim", "list")["total"] == 0
    said = road.one("kim", "submit", big_file)
    assert "An administrator must approve this: rl-agent GPU 4" in said
    workload_id = road.json("kim", "list")["items"][0]["id"]
    road.do(road.world.round)
    road.one("admin", "approve", workload_id, code=6)
    road.one("park", "approve", workload_id, code=4)
    started = road.json("kim", "test", workload_id, "--episodes", "10")
    road.do(finished, road.world, started["runId"], rewards=RISING)
    assert "Test passed" in road.one("kim", "show", workload_id)
    assert "High" in road.one("admin", "approve", workload_id, "--priority", "high")
    second = road.json("kim", "submit", big_file)["id"]
    road.do(road.world.round)
    road.one("admin", "reject", second, "--reason", "short", code=7)
    road.one("admin", "reject", second, "--reason", "한 번에 하나씩만 요청해 주세요")
    assert "하나씩만" in road.one("kim", "show", second)


def test_co_editors(road: Road, small_file: str) -> None:
    road.one("kim", "submit", small_file)
    assert "no co-editors" in road.one("kim", "editors", "list", "APP-SMALL1")
    assert road.one("kim", "editors", "add", "APP-SMALL1", "park") == "park\n"
    assert road.json("park", "editors", "list", "APP-SMALL1") == {"appId": "APP-SMALL1", "coEditors": ["park"]}
    road.one("park", "editors", "add", "APP-SMALL1", "boss", code=4)
    assert "no co-editors" in road.one("kim", "editors", "remove", "APP-SMALL1", "park")
    road.one("kim", "editors", "add", "APP-SMALL1", "viewer", code=7)


def test_queue_verbs(road: Road, small_file: str) -> None:
    first, second = [road.json("kim", "submit", small_file, "--name", name)["id"] for name in ("first", "second")]
    road.do(resolving.resolve_submitted, road.world.context)
    assert [item["id"] for item in road.json("kim", "queue")["items"]] == [first, second]
    road.one("kim", "priority", first, "high", code=4)
    assert "High" in road.one("admin", "priority", first, "high")
    assert first in road.one("admin", "hold", first)
    assert first in road.one("admin", "release", first)
    road.one("admin", "move", first, "--before", second, code=7)
    road.one("admin", "priority", second, "high")
    road.one("admin", "move", second, "--top")
    text = road.one("kim", "queue", "--mine")
    assert "A100 x 1, 16GB +4" in text
    road.one("park", "cancel", first, code=4)
    assert "Cancelling" in road.one("kim", "cancel", first)


def test_cluster_verbs(road: Road, small_file: str) -> None:
    assert "A100 0/8" in road.one("viewer", "nodes")
    assert "Slurm" in road.one("viewer", "status")
    assert "Nothing matches" not in road.one("viewer", "images")
    workload_id = road.json("kim", "submit", small_file)["id"]
    road.do(finished, road.world, workload_id)
    image = road.json("admin", "images", "list", "-q", "env-sim")["items"][0]
    assert image["reference"] in road.one("viewer", "images")
    road.one("kim", "images", "remove", image["digest"], code=4)
    road.one("admin", "images", "remove", image["digest"])


def test_keys_of_slurm_that_nobody_knows_are_named(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "passed over" not in road.one("viewer", "status")
    version = ClusterVersion("27.05.0", "rest", "", "v0.0.45", unknown_keys={"job/shiny": 12, "node/bright": 3})

    async def newer() -> ClusterVersion:
        return version

    monkeypatch.setattr(road.world.slurm, "version", newer)
    road.do(road.world.round)
    assert "passed over (how often): job/shiny (12), node/bright (3)" in road.one("viewer", "status")
    assert road.json("viewer", "status")["slurm"]["unknownKeys"] == version.unknown_keys


def test_token_verbs(road: Road) -> None:
    value = road.one("kim", "tokens", "make", "laptop", "--scopes", "read").strip()
    assert value.startswith("one_")
    made = next(token for token in road.json("kim", "tokens", "list")["items"] if token["name"] == "laptop")
    assert made["prefix"] in road.one("kim", "tokens", "list")
    road.one("kim", "tokens", "revoke", str(made["id"]))
    road.site.values["gone"] = value
    road.one("gone", "list", code=3)


def test_login_keeps_a_file_that_only_the_owner_reads(road: Road, tmp_path: Path) -> None:
    value = road.site.values["kim"]
    said = road.one("viewer", "login", "--url", "http://localhost", "--token-stdin", given=f"{value}\n")
    assert "Signed in as kim (researcher)" in said
    path = tmp_path / "config" / "one" / "credentials.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"url": "http://localhost", "token": value}
    road.one("viewer", "login", "--token-stdin", code=3, given="one_wrong\n")


def test_wait_exits_with_the_result(road: Road, small_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def turn(_seconds: float) -> None:
        road.do(road.world.round)
        for item in road.json("kim", "list", "--state", "running")["items"]:
            road.do(road.world.play, item["id"], fail="TASK-001/CL-REF-002")

    monkeypatch.setattr("portal.cli.watching.wait.__kwdefaults__", {"quiet": False, "sleep": turn})
    document = road.json("kim", "submit", small_file, "--wait", code=1)
    assert document["state"] == "failed"
    shown = road.one("kim", "show", document["id"])
    assert "Died first: " in shown
    assert shown.endswith("\n  boom\n")


def test_problems_of_a_spec_are_printed_with_their_places(road: Road, tmp_path: Path, small: dict[str, Any]) -> None:
    small["tasks"][0]["workflow"].append({"from": "CL-REF-004", "to": "CL-REF-001"})
    small["tasks"][0]["components"][0]["resources"]["memory"] = "a lot"
    small["surplus"] = 1
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(small))
    for extra in ([], ["--offline"]):
        text = road.one("kim", "validate", str(path), *extra, code=7)
        assert "$.tasks[0].components[0].resources.memory" in text
        assert "$.surplus" in text
    assert road.json("kim", "validate", str(path), code=7)["valid"] is False
    assert road.one("kim", "submit", str(path), code=7) == ""


def test_maintenance_is_said_everywhere(road: Road, small_file: str) -> None:
    assert "off" in road.one("kim", "maintenance", "status")
    road.one("kim", "maintenance", "on", "--reason", "x", code=4)
    assert "new switches" in road.one("admin", "maintenance", "on", "--reason", "new switches")
    road.one("admin", "maintenance", "on", "--reason", "again", code=6)
    workload_id = road.json("kim", "submit", small_file)["id"]
    for _ in range(2):
        road.do(road.world.round)
    assert "admin: new switches). Running jobs go on (maintenance)" in road.one("kim", "why", workload_id)
    assert "점검 중" in road.one("kim", "--lang", "ko", "why", workload_id)
    assert "nothing new is handed to Slurm" in road.one("kim", "status")
    assert road.json("kim", "status")["maintenance"]["by"] == "admin"
    assert "off" in road.one("admin", "maintenance", "off")
    road.one("admin", "maintenance", "off", code=6)


def test_a_rerun_and_the_way_back_from_slurm(road: Road, small_file: str) -> None:
    first = road.json("kim", "submit", small_file)["id"]
    road.one("kim", "rerun", first, code=6)
    road.do(finished, road.world, first, rewards=RISING)
    (job, *_) = road.json("kim", "show", first)["slurmJobs"]
    for text in (str(job["jobId"]), f"{job['jobId']}+0"):
        assert road.json("kim", "show", text)["id"] == first
        assert [item["id"] for item in road.json("kim", "list", "--job", text)["items"]] == [first]
    said = road.one(
        "kim", "rerun", str(job["jobId"]), "--resume", "--set", "training_config.episodes=9", "--note", "more"
    )
    second = said.split()[1]
    assert road.json("kim", "show", second)["rerunOf"] == first
    assert first in road.one("kim", "show", second)


def test_the_library(road: Road, tmp_path: Path) -> None:
    file = tmp_path / "component.json"
    image = {"registry": "registry.avatar.io/env-sim", "tag": "1.0"}
    described = {"name": "env-simulator", "version": "1.0.0", "image": image, "resources": {"memory": "8GB"}}
    file.write_text(json.dumps({**described, "resources": {"memory": "x"}}))
    road.one("kim", "components", "register", str(file), code=7)
    file.write_text(json.dumps(described))
    component_id = road.json("kim", "components", "register", str(file))["id"]
    assert "Checking" in road.one("kim", "components", "list")
    road.do(road.world.round)
    assert "Verified" in road.one("viewer", "components", "list", "-q", "env")
    newer = {"version": "1.1.0", "image": image, "resources": {"memory": "16GB"}, "note": "more memory"}
    file.write_text(json.dumps(newer))
    assert "env-simulator 1.1.0 is in the library" in road.one("kim", "components", "version", component_id, str(file))
    assert "more memory" in road.one("viewer", "components", "show", component_id)
    road.one("park", "components", "deprecate", component_id, code=4)
    assert "deprecated" in road.one("kim", "components", "deprecate", component_id)
    assert component_id not in road.one("kim", "components", "list")
    assert component_id in road.one("kim", "components", "list", "--all")
    assert road.json("kim", "components", "restore", component_id)["deprecatedAt"] is None
