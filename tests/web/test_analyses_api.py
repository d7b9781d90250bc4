"""Operators and analyses over HTTP: uploads, who may what, downloads."""

from __future__ import annotations

from typing import Any

import pytest

from portal.db.models import App, Audit
from tests.daemon.test_operators import CODE, RESULTS, completed
from tests.daemon.test_road import finished
from tests.web.conftest import Site

pytestmark = pytest.mark.anyio


async def uploaded(
    site: Site, who: str, data: bytes = CODE, filename: str = "reward.py", status: int = 201
) -> dict[str, Any]:
    async with site.client(who, **{"Accept-Language": "en", "Content-Type": "application/octet-stream"}) as client:
        response = await client.post("/api/v1/operators", params={"filename": filename}, content=data)
    assert response.status_code == status, response.text
    document: dict[str, Any] = response.json()
    return document


async def test_an_operator_is_uploaded_submitted_with_and_seen(site: Site, small: dict[str, Any]) -> None:
    operator = await uploaded(site, "kim")
    assert (operator["name"], operator["version"], operator["sizeBytes"]) == ("reward", 1, len(CODE))
    made = await site.post("kim", "/workloads", {"spec": small, "operator": operator["ref"][:-2]}, status=201)
    assert made["operator"] == operator["ref"], "pinned to the version of that moment"
    await finished(site.world, made["id"])
    (analysis,) = (await site.get("viewer", "/analyses", workload=made["id"]))["items"]
    assert (analysis["state"], analysis["operator"]["ref"]) == ("submitted", operator["ref"])
    await finished(site.world, analysis["id"], out=RESULTS)
    detail = await site.get("park", f"/analyses/{analysis['id']}")
    assert detail["figures"] == {"mean": 25.5}
    assert [file["path"] for file in detail["manifest"]["files"]] == sorted(RESULTS)
    path = f"/api/v1/analyses/{analysis['id']}/files/page.html"
    async with site.client("park") as client:
        response = await client.get(path)
    assert response.content == RESULTS["page.html"]
    assert "html" not in response.headers["content-type"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"].startswith("attachment")
    async with site.client("viewer") as client:
        assert (await client.get(path)).status_code == 403
    assert "analysis.download" in [row.action for row in await site.world.rows(Audit)]


async def test_analysing_again_and_only_ones_own(site: Site, small: dict[str, Any]) -> None:
    workload_id = await completed(site.world, small)
    mine, parks = await uploaded(site, "kim"), await uploaded(site, "park")
    body = {"operator": mine["ref"]}
    first = await site.post("kim", f"/workloads/{workload_id}/analyses", body, status=201)
    second = await site.post("kim", f"/workloads/{workload_id}/analyses", body, status=201)
    assert first["id"] != second["id"]
    await site.post("park", f"/workloads/{workload_id}/analyses", {"operator": parks["ref"]}, status=403)
    await site.post("admin", f"/workloads/{workload_id}/analyses", body, status=403)
    await site.post("kim", f"/workloads/{workload_id}/analyses", {"operator": parks["ref"]}, status=404)
    assert (await site.get("kim", "/operators"))["items"][0]["runs"] == 2
    await site.post("kim", f"/operators/{mine['ref'][:-2]}/archive", status=200)
    await site.post("kim", f"/workloads/{workload_id}/analyses", body, status=409)


async def test_private_apps_hide_their_analyses(site: Site, small: dict[str, Any]) -> None:
    workload_id = await completed(site.world, small)
    run_id = await site.world.analyse(workload_id, await site.world.upload(CODE))
    async with site.world.maker() as session:
        (await session.get_one(App, "APP-SMALL1")).visibility = "private"
        await session.commit()
    assert (await site.get("park", "/analyses"))["total"] == 0
    async with site.client("park") as client:
        assert (await client.get(f"/api/v1/analyses/{run_id}")).status_code == 404
    assert (await site.get("admin", "/analyses"))["total"] == 1


async def test_bad_uploads_name_what_is_wrong(site: Site) -> None:
    answer = await uploaded(site, "kim", b"", status=422)
    assert answer["problems"][0]["message"] == "reward.py: the file is empty"
    await uploaded(site, "viewer", status=403)
    too_large = await uploaded(site, "kim", bytes(56 << 20), status=413)
    assert too_large["status"] == 413
