"""P11 over HTTP: every tab in every state, what each role may see and do, windows on logs, the bundle."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx2

from portal.db.engine import transaction
from portal.db.models import App
from portal.services import accounts, passwords
from portal.services.supportbundle import MASK
from portal.web.pages.workload import TABS
from tests.web.conftest import Site
from tests.web.test_apps_pages import as_viewer
from tests.web.test_signin import PASSWORD, kim, sign_in, token_in
from tests.web.test_workloads import submitted

__all__ = ["kim"]
REWARDS = [60.0, 64.5, 66.0, 70.2, 73.1, 75.0, 79.4, 81.2, 84.9, 88.3]


async def finished(site: Site, spec: dict[str, Any], **played: Any) -> str:
    """A workload of kim that ran to its end."""
    workload_id = await site.world.submit(spec)
    for _ in range(3):
        await site.world.round()
    await site.world.play(workload_id, **played)
    for _ in range(3):
        await site.world.round()
    return workload_id


async def page(browser: httpx2.AsyncClient, workload_id: str, **query: str) -> str:
    answer = await browser.get(f"/workloads/{workload_id}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_every_tab_of_a_run_that_ended_well(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await finished(kim, small, rewards=REWARDS)
    async with kim.client() as browser:
        await sign_in(browser)
        said = {tab: await page(browser, workload_id, tab=tab) for tab in TABS}
    job = (await kim.world.workload(workload_id)).attempts[-1].jobs[0]
    for tab, texts in {
        "overview": ("완료", "진행 경로", "해당 없음", "88.3", "one-chart", "v1</a>"),
        "graph": ("<svg", "foreignObject", "완료"),
        "logs": ("says 안녕", "따라가기", "첫 오류"),
        "metrics": ("reward", "표로 보기", "최고 88.3"),
        "events": ("Slurm에 전달됨", "컴포넌트 끝남", "실행 시작"),
        "spec": ("비교 대상", small["app_id"]),
        "results": ("-final", "파일이 없습니다."),
        "slurm": (f"sacct -j {job.leader_id} --format=JobID,JobName,State,ExitCode,Elapsed,AllocTRES%60", job.name),
    }.items():
        for text in texts:
            assert text in said[tab], (tab, text)


def large(small: dict[str, Any]) -> dict[str, Any]:
    """Over the threshold."""
    spec = copy.deepcopy(small)
    spec["app_id"] = "APP-LARGE1"
    spec["tasks"][0]["components"][0]["resources"].update(gpu_count=4, memory="128GB")
    return spec


async def test_what_waits_says_why_and_shows_the_road_ahead(kim: Site, small: dict[str, Any]) -> None:
    waiting = await kim.world.submit(small)
    over = await kim.world.submit(large(small))
    async with kim.client() as browser:
        await sign_in(browser)
        for tab in TABS:
            assert "접수됨" in await page(browser, waiting, tab=tab)
        await kim.world.round()
        text = await page(browser, over)
        for words in (
            "승인대기",
            f'href="/workloads/{over}/actions/test"',
            "최소 실행 테스트를 기다립니다",
            "취소하기",
        ):
            assert words in text, words
        for _ in range(2):
            await kim.world.round()
        assert "st-run" in await page(browser, waiting)


async def test_a_failed_run_names_who_died_first_and_what_it_said(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await finished(kim, small, fail="TASK-001/CL-REF-002")
    async with kim.client() as browser:
        await sign_in(browser)
        text = await page(browser, workload_id)
    for words in (
        "먼저 멈춘 컴포넌트: rl-agent (종료 코드 9)",
        "boom",
        "로그로 이동",
        "step=TASK-001%2FCL-REF-002",
        "다시 실행",
    ):
        assert words in text, words


async def test_a_viewer_reads_but_logs_and_downloads_are_the_owners(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await finished(kim, small)
    base = f"/workloads/{workload_id}"
    async with kim.client() as browser:
        await as_viewer(kim, browser)
        text = await page(browser, workload_id)
        assert ("완료" in text, "support-bundle" in text, "actions/" in text) == (True, False, False)
        closed = await page(browser, workload_id, tab="logs")
        assert ("공개하지 않았습니다" in closed, "says 안녕" in closed) == (True, False)
        step = {"step": "TASK-001/CL-REF-001"}
        for path in ("logs/window", "logs/find", "logs/follow"):
            assert (await browser.get(f"{base}/{path}", params=step)).status_code == 403, path
        await shared(kim, small["app_id"])
        assert "says 안녕" in await page(browser, workload_id, tab="logs")
        assert (await browser.get(f"{base}/logs/window", params=step)).status_code == 200
        for path in ("logs/file", "support-bundle.zip", "actions/cancel"):
            assert (await browser.get(f"{base}/{path}")).status_code == 403, path


async def test_a_private_run_is_not_there_for_others(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await kim.world.submit(small, who="park")
    async with transaction(kim.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    async with kim.client() as browser:
        await sign_in(browser)
        for path in ("", "?tab=logs", "/logs/window?step=a", "/support-bundle.zip", "/actions/cancel"):
            assert (await browser.get(f"/workloads/{workload_id}{path}")).status_code == 404, path
        live = await browser.get("/events", params={"topics": f"workload:{workload_id}:overview"})
        assert live.status_code == 404


async def shared(site: Site, app_id: str) -> None:
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, app_id)).share_logs = True


async def test_windows_on_a_log_and_finding_in_it(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await kim.world.submit(small)
    for _ in range(3):
        await kim.world.round()
    attempt = (await kim.world.workload(workload_id)).attempts[-1]
    step = "TASK-001/CL-REF-001"
    folder = Path(attempt.run_dir, "steps", step, "t1")
    folder.mkdir(parents=True)
    lines = [f"line {number} 한글 {'x' * 60}\n" for number in range(40_000)]
    lines[30_000] = "\x1b[31mRuntimeError: broken <b>\x1b[0m\n"
    (folder / "stdout.log").write_text("".join(lines))
    size = (folder / "stdout.log").stat().st_size
    async with kim.client() as browser:
        await sign_in(browser)
        text = await page(browser, workload_id, tab="logs", step=step)
        assert ("line 39999" in text, "line 0 " in text, len(text) < 3_000_000) == (True, False, True)
        ask = f"/workloads/{workload_id}/logs"
        newest = (await browser.get(f"{ask}/window", params={"step": step})).json()
        assert (newest["end"], newest["size"], newest["text"].startswith("line ")) == (size, size, True)
        before = (await browser.get(f"{ask}/window", params={"step": step, "before": newest["start"]})).json()
        assert before["end"] == newest["start"]
        hit = (await browser.get(f"{ask}/find", params={"step": step})).json()
        shown = (await browser.get(f"{ask}/window", params={"step": step, "start": hit["at"]})).json()
        assert shown["text"].startswith("\x1b[31mRuntimeError")
        at = (await browser.get(f"{ask}/find", params={"step": step, "q": "LINE 31000 "})).json()["at"]
        assert at == sum(len(line.encode()) for line in lines[:31_000])
        assert (await browser.get(f"{ask}/find", params={"step": step, "q": "nowhere"})).json()["at"] is None
        with_error = await page(browser, workload_id, tab="logs", step=step, stream="stdout", at=str(hit["at"]))
        assert "RuntimeError: broken &lt;b&gt;" in with_error
        assert "\x1b" not in with_error


async def test_the_bundle_helps_without_secrets(kim: Site, small: dict[str, Any]) -> None:
    small["env_vars"] = {"NCCL_DEBUG": "INFO", "HF_TOKEN": "hf_abc123"}
    workload_id = await finished(kim, small, fail="TASK-001/CL-REF-002")
    async with kim.client() as browser:
        await sign_in(browser)
        answer = await browser.get(f"/workloads/{workload_id}/support-bundle.zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    read = {name.partition("/")[2]: archive.read(name).decode() for name in archive.namelist()}
    spec = json.loads(read["spec.json"])
    assert spec["env_vars"] == {"NCCL_DEBUG": "INFO", "HF_TOKEN": MASK}
    assert {"workload.json", "events.json", "slurm.json", "a1/plan.json", "a1/report.json", "README.txt"} <= read.keys()
    assert "says 안녕" in read["logs/steps/TASK-001/CL-REF-001/t1/stdout.log"]
    assert not any("hf_abc123" in text for text in read.values())


async def test_cancel_asks_for_a_reason_where_it_is_not_ones_own(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await kim.world.submit(small)
    for _ in range(3):
        await kim.world.round()
    path = f"/workloads/{workload_id}/actions/cancel"
    async with transaction(kim.world.maker) as session:
        await passwords.put(await accounts.user_named(session, "boss"), PASSWORD, temporary=False)
    async with kim.client() as browser:
        await sign_in(browser, "boss")
        form = {"form_token": token_in(await browser.get(path))}
        refused = await browser.post(path, data={**form, "reason": " "})
        assert (refused.status_code, "사유를 쓰세요" in refused.text) == (422, True)
        done = await browser.post(path, data={**form, "reason": "점검"})
        assert (done.status_code, done.headers["location"]) == (303, f"/workloads/{workload_id}")
        assert "취소 중" in await page(browser, workload_id)


async def test_a_rerun_is_made_once_however_often_it_is_sent(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await finished(kim, small, rewards=REWARDS)
    path = f"/workloads/{workload_id}/actions/rerun"
    async with kim.client() as browser:
        await sign_in(browser)
        form = {"form_token": token_in(await browser.get(path)), "once": "one-key", "resume": "on"}
        first, second = [await browser.post(path, data=form) for _ in range(2)]
        assert (first.status_code, first.headers["location"]) == (303, second.headers["location"])
        made = first.headers["location"].rpartition("/")[2]
        assert f'href="/workloads/{workload_id}"' in await page(browser, made)
        assert made in await page(browser, workload_id)
        spec = await page(browser, made, tab="spec", compare=workload_id)
        assert "같은 스펙" in spec
    assert "checkpoint" in (await kim.world.workload(made)).options["resume_from"]


async def test_a_test_is_started_from_the_page(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await kim.world.submit(large(small))
    await kim.world.round()
    path = f"/workloads/{workload_id}/actions/test"
    async with kim.client() as browser:
        await sign_in(browser)
        form = {"form_token": token_in(await browser.get(path))}
        refused = await browser.post(path, data={**form, "count": "5"})
        assert (refused.status_code, 'aria-invalid="true"' in refused.text) == (422, True)
        assert (await browser.post(path, data={**form, "count": "10"})).status_code == 303
        assert "테스트 실행 중" in await page(browser, workload_id)


async def test_the_batch_script_is_the_one_that_slurm_got(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await submitted(kim, small)
    for _ in range(2):
        await kim.world.round()
    async with kim.client() as browser:
        await sign_in(browser)
        tab = (await browser.get(f"/workloads/{workload_id}", params={"tab": "slurm"})).text
        assert f'href="/workloads/{workload_id}/scripts/0?attempt=1"' in tab
        script = await browser.get(f"/workloads/{workload_id}/scripts/0", params={"attempt": 1})
        assert script.text == kim.world.slurm.submissions[0].script
        assert script.headers["content-type"].startswith("text/plain")
        assert (await browser.get(f"/workloads/{workload_id}/scripts/7")).status_code == 404
