"""Bad input at the API's door: a clear answer with place and cure, and nothing half-done."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from portal.db.models import App, Workload
from tests.hostile import HOSTILE, LONE_SURROGATE, NOT_IDS, NOT_NAMES, NUL, TOO_LONG
from tests.web.conftest import Site

JSON = {"Content-Type": "application/json", "Accept-Language": "en"}


async def nothing_was_made(site: Site) -> None:
    assert await site.world.rows(Workload) == []
    assert await site.world.rows(App) == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"spec": {"app_id" "x"}}', 422, "json_syntax"),
        (b"[" * 200_000, 422, "too_deep"),
        (b'{"a":' * 100_000, 422, "too_deep"),
        (b"\xff\xfe", 422, "not_utf8"),
        (b'{"a": "' + b"x" * (10 << 20) + b'"}', 413, ""),
    ],
    ids=["broken", "deep arrays", "deep objects", "no UTF-8", "10 MB"],
)
async def test_text_that_is_no_spec(site: Site, body: bytes, status: int, code: str) -> None:
    for path in ("/workloads", "/workloads/dry-run", "/validate", "/plan", "/apps"):
        async with site.client("kim", **JSON) as client:
            answer = await client.post(f"/api/v1{path}", content=body)
        valid = path == "/validate" and status == 422
        assert answer.status_code == (200 if valid else status), (path, answer.text)
        if code:
            (problem,) = answer.json()["problems"]
            assert problem["code"] == code
            assert problem["cure"]
    await nothing_was_made(site)


async def test_hostile_values_come_back_as_they_were_typed(site: Site, small: dict[str, Any]) -> None:
    for number, text in enumerate(HOSTILE.values()):
        small["version"] = f"1.0.{number}"
        small["env_vars"] = {"X": text}
        small["tasks"][0]["components"][0].update(args=[text], params={"p": text})
        made = await site.post("kim", "/workloads", {"spec": small, "note": text[:2000]}, 201)
        shown = await site.get("kim", f"/workloads/{made['id']}")
        assert shown["spec"]["env_vars"] == {"X": text}
        component = shown["spec"]["tasks"][0]["components"][0]
        assert (component["args"], component["params"]) == ([text], {"p": text})


async def test_values_that_are_refused_name_their_place(site: Site, small: dict[str, Any]) -> None:
    for text in (NUL, TOO_LONG, LONE_SURROGATE):
        small["env_vars"] = {"X": text}
        async with site.client("kim", **JSON) as client:
            answer = await client.post("/api/v1/workloads", content=json.dumps({"spec": small}))
        assert answer.status_code == 422
        problem = answer.json()["problems"][0]
        assert problem["path"].endswith("env_vars.X")
        assert problem["cure"]
    await nothing_was_made(site)


async def test_ids_that_are_none(site: Site, small: dict[str, Any]) -> None:
    for text in NOT_IDS:
        for place in ("app_id", "task_id", "component_id"):
            spec = copy.deepcopy(small)
            task = spec["tasks"][0]
            {"app_id": spec, "task_id": task, "component_id": task["components"][0]}[place][place] = text
            answer = await site.post("kim", "/workloads", {"spec": spec}, 422)
            assert any(problem["path"].endswith(place) for problem in answer["problems"]), answer
    await nothing_was_made(site)


async def test_names_that_are_none(site: Site, small: dict[str, Any]) -> None:
    for text in NOT_NAMES:
        answer = await site.post("kim", "/workloads", {"spec": {**small, "name": text}}, 422)
        assert answer["problems"][0]["path"].endswith("name")
        if text:
            answer = await site.post("kim", "/workloads", {"spec": small, "name": text}, 422)
            assert answer["problems"][0]["path"] == "$.name"
    await nothing_was_made(site)


async def test_ten_thousand_components_are_one_problem(site: Site, small: dict[str, Any]) -> None:
    small["tasks"][0]["components"] = [{"component_id": f"C{number}"} for number in range(10_000)]
    answer = await site.post("kim", "/workloads", {"spec": small}, 422)
    assert [problem["code"] for problem in answer["problems"]] == ["too_many_components"]
    await nothing_was_made(site)


async def test_anothers_app_is_a_conflict_with_the_way_out(site: Site, small: dict[str, Any]) -> None:
    await site.post("kim", "/workloads", {"spec": small}, 201)
    answer = await site.post("park", "/workloads", {"spec": {**small, "version": "9.9.9"}}, 409)
    assert (answer["code"], "--as-new-app" in answer["detail"]) == ("app_not_yours", True)
    assert len(await site.world.rows(Workload)) == 1


async def test_addresses_that_no_database_can_look_for(site: Site) -> None:
    for path, status in {
        "/workloads?q=%00": 422,
        "/workloads?owner=a%00b": 422,
        "/workloads/W-%00": 404,
        "/apps/%00": 404,
        "/models/APP-X/99999999999999999999": 404,
        "/workloads/W-AAAAAA/events?after=99999999999999999999": 422,
    }.items():
        async with site.client("kim", **{"Accept-Language": "en"}) as client:
            answer = await client.get(f"/api/v1{path}")
        assert answer.status_code == status, (path, answer.text)
        if status == 422:
            assert answer.json()["problems"][0]["path"].startswith("query:")
