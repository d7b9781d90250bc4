"""The road over HTTP: what each document says at each station, and who may do what."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from portal.daemon import resolving
from portal.db.engine import transaction
from portal.db.models import App
from tests.daemon.test_road import RISING, finished
from tests.web.conftest import Site

# The specification's own examples (5.2), compared whole.
PENDING = {"status": "pending", "episodes": None, "results": None, "executedBy": None, "executedAt": None}
TRAINING = {
    "episodes": 1000,
    "learningRate": 0.001,
    "batchSize": 64,
    "gamma": 0.99,
    "maxStepsPerEpisode": 500,
    "rewardParams": {"efficiency_weight": 0.6, "safety_weight": 0.4},
    "envConfig": {"simulation_seed": 42, "max_temp": 850, "min_pressure": 10},
}


async def submitted(site: Site, spec: dict[str, Any], who: str = "kim", **wishes: Any) -> str:
    document = await site.post(who, "/workloads", {"spec": spec, **wishes}, status=201)
    return str(document["id"])


async def test_fields_of_4_3_and_5_2_letter_by_letter(site: Site, example: dict[str, Any]) -> None:
    workload_id = await submitted(site, example)
    await site.world.round()
    document = await site.get("kim", f"/workloads/{workload_id}")
    assert document["isTrainingRequest"] is True
    assert document["trainingConfig"] == TRAINING
    assert document["needsApproval"] is True
    assert document["loopTest"] == PENDING
    assert document["state"] == "awaiting_approval"
    assert document["resources"] == "A100 x 4, 128GB +4"
    (listed,) = (await site.get("kim", "/workloads"))["items"]
    assert listed["loopTest"] == PENDING
    assert "spec" not in listed


async def test_general_under_the_threshold_has_neither_config_nor_test(site: Site, small: dict[str, Any]) -> None:
    workload_id = await submitted(site, small, kind="general")
    document = await site.get("kim", f"/workloads/{workload_id}")
    assert document["isTrainingRequest"] is False
    assert document["needsApproval"] is False
    assert not {"trainingConfig", "loopTest", "approvalReasons", "testRun"} & set(document)


async def test_told_of_its_end_by_every_way_as_asked(site: Site, small: dict[str, Any]) -> None:
    workload_id = await submitted(site, small, notify=["end", "end"])
    assert (await site.get("kim", f"/workloads/{workload_id}"))["notify"] == ["end"]
    refused = await site.post("kim", "/workloads", {"spec": small, "notify": ["stop"]}, status=422)
    assert refused["problems"][0]["path"] == "$.notify.0"


async def test_the_gate_over_http(site: Site, example: dict[str, Any]) -> None:
    workload_id = await submitted(site, example)
    await site.world.round()
    refused = await site.post("admin", f"/workloads/{workload_id}/approve", status=409)
    assert refused["code"] == "test_required"
    forbidden = await site.post("park", f"/workloads/{workload_id}/approve", status=403)
    assert forbidden["detail"] == "Not permitted. This needs the admin role."
    started = await site.post("kim", f"/workloads/{workload_id}/test", {"episodes": 10}, status=201)
    assert started["loopTest"]["status"] == "running"
    await finished(site.world, started["runId"], rewards=RISING)
    document = await site.get("admin", f"/workloads/{workload_id}")
    test = document["loopTest"]
    assert set(test) == set(PENDING)
    assert (test["status"], test["episodes"], test["executedBy"]) == ("passed", 10, "kim")
    assert set(test["results"]) == {"convergence", "avgReward", "finalReward", "log"}
    assert test["results"]["log"].startswith("Episode 1: reward=10.0\nEpisode 2: reward=12.0\n")
    assert len(test["executedAt"]) == len("2026-02-09 14:30")
    stale = await site.post("admin", f"/workloads/{workload_id}/approve", {"specHash": "0" * 64}, status=409)
    assert stale["code"] == "request_changed"
    body = {"specHash": document["specHash"], "priority": "high"}
    approved = await site.post("admin", f"/workloads/{workload_id}/approve", body)
    assert (approved["state"], approved["decision"], approved["priority"]) == ("queued", "approved", "high")
    again = await site.post("admin", f"/workloads/{workload_id}/approve", body, status=409)
    assert again["code"] == "not_waiting"


async def test_reject_needs_a_reason_that_the_applicant_reads(site: Site, example: dict[str, Any]) -> None:
    workload_id = await submitted(site, example)
    await site.world.round()
    await site.post("admin", f"/workloads/{workload_id}/reject", {"reason": "no"}, status=422)
    await site.post("admin", f"/workloads/{workload_id}/reject", {"reason": "자원 과다: 절반으로 줄여 주세요"})
    document = await site.get("kim", f"/workloads/{workload_id}")
    assert (document["state"], document["rejectReason"]) == ("rejected", "자원 과다: 절반으로 줄여 주세요")


async def test_the_same_idempotency_key_is_the_same_workload(site: Site, small: dict[str, Any]) -> None:
    first = await site.post("kim", "/workloads", {"spec": small}, status=201, **{"Idempotency-Key": "k1"})
    again = await site.post("kim", "/workloads", {"spec": small}, status=201, **{"Idempotency-Key": "k1"})
    other = await site.post("kim", "/workloads", {"spec": small}, status=201, **{"Idempotency-Key": "k2"})
    assert first["id"] == again["id"] != other["id"]


async def test_plan_script_why_and_events(site: Site, small: dict[str, Any]) -> None:
    async with site.client("viewer") as client:
        preview = (await client.post("/api/v1/plan?script=true", json=small)).json()
    assert preview["words"]
    assert preview["scripts"][0].startswith("#!")
    workload_id = await submitted(site, small)
    before = await site.get("kim", f"/workloads/{workload_id}/plan")
    assert before["handedOver"] is False
    await site.world.round()
    await site.world.round()
    after = await site.get("kim", f"/workloads/{workload_id}/plan")
    assert after["handedOver"] is True
    assert after["plan"]["jobs"]
    assert after["words"]
    why = await site.get("kim", f"/workloads/{workload_id}/why")
    assert why["text"]
    kinds = [event["kind"] for event in (await site.get("kim", f"/workloads/{workload_id}/events"))["items"]]
    assert kinds[0] == "state_submitted"
    async with site.client("kim") as client:
        script = await client.get(f"/api/v1/workloads/{workload_id}/script")
    assert script.text == "\n".join(one.script for one in site.world.slurm.submissions), "what really ran"
    async with site.client("park") as client:
        others = await client.get(f"/api/v1/workloads/{workload_id}/script")
    assert str(site.world.context.settings.storage.runs / "kim") not in others.text, "folders are the owner's to know"


async def test_a_plan_that_cannot_be_names_step_and_resource(site: Site, small: dict[str, Any]) -> None:
    small["tasks"][0]["components"][1]["resources"].update(gpu_count=64)
    document = await site.post("kim", "/plan", small, status=422)
    assert {problem["path"] for problem in document["problems"]} == {"$.tasks[0].components[1].resources"}


async def test_dry_run_keeps_nothing(site: Site, example: dict[str, Any]) -> None:
    found = await site.post("kim", "/workloads/dry-run", {"spec": example})
    assert found["needsApproval"] is True
    assert found["approval"].startswith("Needs approval: rl-agent GPU 4")
    assert (await site.get("kim", "/workloads"))["total"] == 0
    assert (await site.get("kim", "/apps"))["total"] == 0


async def test_a_private_app_does_not_exist_for_others(site: Site, small: dict[str, Any]) -> None:
    workload_id = await submitted(site, small)
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    async with site.client("park") as client:
        for path in (f"/workloads/{workload_id}", f"/workloads/{workload_id}/logs", f"/apps/{small['app_id']}"):
            assert (await client.get(f"/api/v1{path}")).status_code == 404, path
    assert (await site.get("park", "/workloads"))["total"] == 0
    assert (await site.get("kim", "/workloads"))["total"] == 1
    await resolving.resolve_submitted(site.world.context)
    (line,) = (await site.get("park", "/queue"))["items"]
    assert (line["id"], line["name"], line["applicant"]) == (None, "Private workload", "kim")
    # one's own upload of the same id is told the way out, not whose it is
    taken = await site.post("park", "/workloads", {"spec": small}, status=409)
    assert "--as-new-app" in taken["detail"]


async def test_cancel_before_slurm_ends_it_at_once(site: Site, small: dict[str, Any]) -> None:
    workload_id = await submitted(site, small)
    assert (await site.post("park", f"/workloads/{workload_id}/cancel", status=403))["code"] == "role_missing"
    no_reason = await site.post("admin", f"/workloads/{workload_id}/cancel", status=422)
    assert "reason" in no_reason["detail"]
    document = await site.post("kim", f"/workloads/{workload_id}/cancel", status=202)
    assert document["state"] == "cancelled"
    await site.post("kim", f"/workloads/{workload_id}/cancel", status=409)


async def test_lists_page_filter_and_sort(site: Site, small: dict[str, Any]) -> None:
    for number in range(3):
        await submitted(site, small, name=f"run {number}")
    await submitted(site, small, who="park", name="other")
    page = await site.get("kim", "/workloads", page=2, size=3)
    assert (page["total"], len(page["items"]), page["page"], page["size"]) == (4, 1, 2, 3)
    assert (await site.get("kim", "/workloads", owner="me"))["total"] == 3
    assert [item["name"] for item in (await site.get("kim", "/workloads", q="RUN", sort="name"))["items"]] == [
        "run 0",
        "run 1",
        "run 2",
    ]
    assert (await site.get("kim", "/workloads", q="%"))["total"] == 0
    async with site.client("kim") as client:
        assert (await client.get("/api/v1/workloads?sort=secret")).status_code == 422


@pytest.mark.parametrize("field", ["spec", "surplus"])
async def test_a_wrong_body_names_its_fields(site: Site, small: dict[str, Any], field: str) -> None:
    body: dict[str, Any] = {"spec": small, "surplus": 1} if field == "surplus" else {}
    document = await site.post("kim", "/workloads", body, status=422)
    assert [problem["path"] for problem in document["problems"]] == [f"$.{field}"]


async def test_all_problems_of_a_spec_at_once(site: Site, small: dict[str, Any]) -> None:
    broken = copy.deepcopy(small)
    broken["surplus"] = 1
    broken["tasks"][0]["workflow"].append({"from": "CL-REF-004", "to": "CL-REF-001"})
    broken["tasks"][0]["components"][0]["resources"]["memory"] = "a lot"
    document = await site.post("kim", "/workloads", {"spec": broken}, status=422)
    paths = {problem["path"] for problem in document["problems"]}
    assert {"$.surplus", "$.tasks[0].components[0].resources.memory"} <= paths
    checked = await site.post("kim", "/validate", broken)
    assert checked["valid"] is False
    assert {problem["path"] for problem in checked["problems"]} == paths


async def test_validate_knows_the_site(site: Site, small: dict[str, Any]) -> None:
    small["storage"] = {"type": "distributed", "path": "/etc"}
    checked = await site.post("kim", "/validate", small)
    errors = [problem["path"] for problem in checked["problems"] if problem["severity"] == "error"]
    assert (checked["valid"], errors) == (False, ["$.storage.path"])


async def test_queue_changes_are_admins(site: Site, small: dict[str, Any]) -> None:
    first, second = [await submitted(site, small, name=name) for name in ("first", "second")]
    await resolving.resolve_submitted(site.world.context)
    for path in ("priority", "move", "hold", "release"):
        await site.post("kim", f"/queue/{first}/{path}", {"priority": "high"} if path == "priority" else {}, status=403)
    assert (await site.post("admin", f"/queue/{second}/priority", {"priority": "high"}))["priority"] == "high"
    assert (await site.post("admin", f"/queue/{second}/hold"))["held"] is True
    assert (await site.post("admin", f"/queue/{second}/release"))["held"] is False
    await site.post("admin", f"/queue/{first}/move", {"before": second, "toTop": True}, status=422)
    bad = await site.post("admin", f"/queue/{first}/priority", {"priority": "urgent"}, status=422)
    assert bad["problems"][0]["path"] == "$.priority"


async def test_nodes_and_status(site: Site) -> None:
    view = await site.get("viewer", "/nodes")
    assert view["gpus"]["A100"] == {"total": 16, "allocated": 0, "idle": 16, "unavailable": 0, "used": None}
    assert {node["state"] for node in view["nodes"]} == {"active"}
    status = await site.get("viewer", "/status")
    assert status["slurm"]["road"]
    assert status["at"].endswith("Z")


async def test_health_is_public(site: Site) -> None:
    async with site.client() as client:
        assert (await client.get("/healthz")).text == "ok"
        assert (await client.get("/api/v1/schema/app-spec.json")).json()["title"] == "OnE App spec"
        page = await client.get("/api/v1/schema")
    assert "/api/v1/workloads/{workload_id}/why" in page.text
    assert "<script" not in page.text
