"""Bytes over HTTP: model files with ranges, log pieces, the merged text, and the event stream."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from portal.web.ranges import ByteRange, Unsatisfiable, byte_range
from tests.daemon.test_road import RISING, finished
from tests.web.conftest import Site
from tests.web.test_workloads import submitted

FILE = "/api/v1/models/APP-SMALL1/1/files/policy.safetensors"
STEP = "TASK-001/CL-REF-002"


async def trained(site: Site, spec: dict[str, Any]) -> str:
    workload_id = await submitted(site, spec)
    await finished(site.world, workload_id, rewards=RISING)
    return workload_id


async def test_a_model_file_whole_and_in_ranges(site: Site, small: dict[str, Any]) -> None:
    await trained(site, small)
    async with site.client("park") as client:
        whole = await client.get(FILE)
        assert (whole.status_code, whole.content) == (200, b"weights")
        assert whole.headers["x-content-sha256"] == sha256(b"weights").hexdigest()
        assert whole.headers["accept-ranges"] == "bytes"
        part = await client.get(FILE, headers={"Range": "bytes=3-"})
        assert (part.status_code, part.content) == (206, b"ghts")
        assert part.headers["content-range"] == "bytes 3-6/7"
        assert (await client.get(FILE, headers={"Range": "bytes=7-"})).status_code == 416
        for path in ("../manifest.json", "%2e%2e/manifest.json", "x"):
            assert (await client.get(FILE.replace("policy.safetensors", path))).status_code == 404
    async with site.client("viewer") as client:
        assert (await client.get(FILE)).status_code == 403
    site.world.store.down = True
    async with site.client("park") as client:
        down = await client.get(FILE)
    assert (down.status_code, down.json()["code"]) == (503, "storage_unreachable")
    assert "retry-after" in down.headers


async def test_models_are_listed_and_shown_with_their_lineage(site: Site, small: dict[str, Any]) -> None:
    workload_id = await trained(site, small)
    (item,) = (await site.get("viewer", "/models", app="APP-SMALL1"))["items"]
    assert (item["workloadId"], item["state"], item["version"]) == (workload_id, "stored", 1)
    assert item["uri"] == "s3://models/APP-SMALL1/v1/"
    model = await site.get("viewer", "/models/APP-SMALL1/1")
    assert model["manifest"]["lineage"]["workload"] == workload_id
    images = (await site.get("viewer", "/images", q="env-sim"))["items"]
    assert [image["state"] for image in images] == ["ready"]


async def test_a_log_in_pieces_and_merged(site: Site, small: dict[str, Any]) -> None:
    workload_id = await trained(site, small)
    listed = await site.get("kim", f"/workloads/{workload_id}/logs")
    assert (listed["source"], listed["ended"], len(listed["items"])) == ("s3", True, 5)
    text = f"{STEP} says 안녕\n".encode()
    async with site.client("kim") as client:
        base = f"/api/v1/workloads/{workload_id}/logs"
        piece = await client.get(f"{base}/steps/{STEP}", params={"offset": 5, "limit": 4})
        assert piece.content == text[5:9]
        headers = [piece.headers[f"x-log-{name}"] for name in ("offset", "next", "size")]
        assert headers == ["5", "9", str(len(text))]
        assert piece.headers["content-type"] == "text/plain; charset=utf-8"
        tail = await client.get(f"{base}/steps/{STEP}", params={"offset": -8})
        assert tail.content == text[-8:]
        merged = await client.get(f"{base}/merged")
        assert f"[CL-REF-002] {STEP} says 안녕\n" in merged.text
        assert len(merged.text.splitlines()) == 5
        plain = await client.get(f"{base}/merged", params={"component": "CL-REF-002", "prefix": "false"})
        assert plain.content == text
        assert (await client.get(f"{base}/steps/TASK-001/NOBODY")).status_code == 404
    async with site.client("park") as client:
        assert (await client.get(f"{base}/merged")).json()["code"] == "logs_not_shared"


async def test_the_event_stream_ends_and_resumes_by_byte(site: Site, small: dict[str, Any]) -> None:
    workload_id = await trained(site, small)
    path = f"/api/v1/workloads/{workload_id}/logs/follow?component=CL-REF-002"
    async with site.client("kim") as client:
        first = events((await client.get(path)).text)
        assert [event["event"] for event in first] == ["log", "end"]
        assert json.loads(first[0]["data"])["text"] == f"{STEP} says 안녕\n"
        assert json.loads(first[1]["data"]) == {"state": "completed", "phase": ""}
        rest = events((await client.get(path, headers={"Last-Event-ID": first[0]["id"]})).text)
        assert [event["event"] for event in rest] == ["end"]
        middle = first[0]["id"].rpartition("=")[0] + "=5"
        again = events((await client.get(path, headers={"Last-Event-ID": middle})).text)
        assert json.loads(again[0]["data"])["text"] == f"{STEP} says 안녕\n"[5:]
        assert (await client.get(path, headers={"Last-Event-ID": "nonsense"})).status_code == 422


async def test_trouble_in_the_middle_of_a_stream_is_its_last_event(site: Site, small: dict[str, Any]) -> None:
    workload_id = await trained(site, small)
    async with site.client("kim", **{"Accept-Language": "en"}) as client:
        site.world.store.objects.pop(("logs", f"{workload_id}/a1/steps/{STEP}/t1/stdout.log"))
        site.world.store.down = False
        hub = site.app.state.log_hub
        await hub.look(workload_id)
        site.world.store.down = True
        text = (await client.get(f"/api/v1/workloads/{workload_id}/logs/follow")).text
    last = events(text)[-1]
    assert last["event"] == "error"
    assert json.loads(last["data"]) == {
        "code": "storage_unreachable",
        "status": 503,
        "detail": "Storage is unreachable. Retry.",
    }


def events(text: str) -> list[dict[str, str]]:
    """The events of a whole stream as dictionaries."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            found.append({name: value for name, _, value in lines})
    return found


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (0, 10, False)),
        ("bytes=0-", (0, 10, True)),
        ("bytes=2-4", (2, 3, True)),
        ("bytes=2-99", (2, 8, True)),
        ("bytes=-3", (7, 3, True)),
        ("bytes=-99", (0, 10, True)),
        ("bytes=4-2", (0, 10, False)),
        ("bytes=0-1,3-4", (0, 10, False)),
        ("items=0-1", (0, 10, False)),
        ("bytes=-", (0, 10, False)),
        ("bytes=" + "9" * 100 + "-", (0, 10, False)),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int, bool]) -> None:
    assert byte_range(header, 10) == ByteRange(expected[0], expected[1], 10, expected[2])


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_unsatisfiable_ranges(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(header, size)
