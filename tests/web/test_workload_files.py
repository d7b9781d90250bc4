"""What one takes from a workload's page: metrics as CSV, use as charts, and for the owner the files of /one/out."""

from __future__ import annotations

import html
import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from portal.db.models import Audit
from tests.daemon.test_road import RISING
from tests.daemon.world import own_uid
from tests.web.conftest import Site
from tests.web.test_apps_pages import as_viewer
from tests.web.test_models_pages import as_park
from tests.web.test_signin import kim, sign_in
from tests.web.test_workloads import submitted

__all__ = ["kim"]
STEP = "TASK-001/CL-REF-002"


@pytest.fixture
async def ran(kim: Site, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Site, str]:
    """A finished run whose agent left files, one of them a link."""
    own = pwd.getpwuid(own_uid("me"))
    monkeypatch.setattr("portal.services.runfolder.pwd.getpwnam", lambda name: own)
    workload_id = await submitted(kim, small)
    for _ in range(3):
        await kim.world.round()
    folder = Path((await kim.world.workload(workload_id)).attempts[0].run_dir, "steps", STEP)
    (folder / "out/sub").mkdir(parents=True)
    (folder / "out/sub/결과 1.bin").write_bytes(bytes(range(256)) * 5000)
    (folder / "secret").write_text("not in out")
    os.symlink("/etc/passwd", folder / "out/passwd")
    (folder / "t1").mkdir()
    sample = {"rss_mib": 2048.0, "gpus": [{"index": 0, "util": 80, "mem_mib": 1024}]}
    use = [{"t": 100.0 + 10 * number, "cpu_s": 20.0 * number, **sample} for number in range(5)]
    (folder / "t1/usage.0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in use))
    await kim.world.play(workload_id, rewards=RISING)
    for _ in range(3):
        await kim.world.round()
    return kim, workload_id


async def test_the_owner_takes_files_whole_and_in_ranges(ran: tuple[Site, str]) -> None:
    site, workload_id = ran
    path = f"/workloads/{workload_id}/out/{STEP}/sub/결과 1.bin"
    async with site.client() as browser:
        await sign_in(browser)
        tab = (await browser.get(f"/workloads/{workload_id}", params={"tab": "results"})).text
        assert f'href="/workloads/{workload_id}/out/{STEP}/sub/%EA%B2%B0%EA%B3%BC%201.bin?attempt=1"' in tab
        whole = await browser.get(path)
        assert whole.content == bytes(range(256)) * 5000
        assert whole.headers["content-disposition"].startswith("attachment")
        part = await browser.get(path, headers={"Range": "bytes=250-259"})
        assert (part.status_code, part.content) == (206, (bytes(range(256)) * 2)[250:260])
        for nothing in ("passwd", "../secret", "sub/../../secret", "nothing", "..%2fsecret"):
            assert (await browser.get(f"/workloads/{workload_id}/out/{STEP}/{nothing}")).status_code == 404, nothing
        assert (await browser.get(f"/workloads/{workload_id}/out/TASK-009/X/a")).status_code == 404
    assert "workload.download" in [row.action for row in await site.world.rows(Audit)]


async def test_nobody_else_takes_them(ran: tuple[Site, str]) -> None:
    site, workload_id = ran
    async with site.client() as browser:
        await as_park(site, browser)
        assert (await browser.get(f"/workloads/{workload_id}/out/{STEP}/sub/결과 1.bin")).status_code == 403
        assert "/out/" not in (await browser.get(f"/workloads/{workload_id}", params={"tab": "results"})).text
    async with site.client() as browser:
        await as_viewer(site, browser)
        assert (await browser.get(f"/workloads/{workload_id}/out/{STEP}/sub/결과 1.bin")).status_code == 403


async def test_use_is_drawn_and_metrics_are_a_file(ran: tuple[Site, str]) -> None:
    site, workload_id = ran
    async with site.client() as browser:
        await sign_in(browser)
        page = html.unescape((await browser.get(f"/workloads/{workload_id}", params={"tab": "metrics"})).text)
        for text in ("시간별 사용량", "CPU (cores)", "메모리 (GiB)", "GPU (%)", "rl-agent 2 cores", "rl-agent 80 %"):
            assert text in page, text
        rows = (await browser.get(f"/workloads/{workload_id}/metrics.csv")).text.splitlines()
        assert rows[0].lstrip("\ufeff") == "component,metric,x,value"
        assert [row for row in rows if ",reward," in row][-1].endswith(",reward,10.0,40.0")
