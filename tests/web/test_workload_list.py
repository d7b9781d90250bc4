"""P10 over HTTP: whose runs are shown, filters and counts, Slurm ids, the CSV, and cancelling several after a question."""

from __future__ import annotations

import copy
import csv
import html
import io
from typing import Any

import httpx2

from portal.db.models import Workload
from tests.web.conftest import Site
from tests.web.formfields import fields_in
from tests.web.test_apps_pages import as_viewer
from tests.web.test_signin import kim, sign_in, token_in

__all__ = ["kim"]


def large(small: dict[str, Any], app_id: str) -> dict[str, Any]:
    """Another App, over the approval threshold."""
    made = copy.deepcopy(small)
    made["app_id"] = app_id
    made["tasks"][0]["components"][1]["resources"].update(gpu_count=4)
    return made


async def listed(browser: httpx2.AsyncClient, **query: str) -> str:
    answer = await browser.get("/workloads", params=query)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


async def test_mine_first_with_state_reason_and_what_one_may_do(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        empty = await listed(browser)
        assert "아직 제출한 워크로드가 없습니다." in empty
        mine = await kim.world.submit(large(small, "APP-MINE"), name="<b>mine")
        others = await kim.world.submit(small, who="park", name="theirs")
        await kim.world.round()
        page = await browser.get("/workloads")
        text = html.unescape(page.text)
        for expected in (mine, "승인대기", "최소 실행 테스트를 기다립니다", "A100 x", f"/trainer?from={mine}"):
            assert expected in text, expected
        assert ("&lt;b&gt;mine" in page.text, "<b>mine" in page.text) == (True, False)
        assert f"/workloads/cancel?id={mine}" in text
        assert others not in text, "researchers begin with their own"
        everybody = await listed(browser, owner="all")
        assert others in everybody
        assert f"/workloads/cancel?id={others}" not in everybody, "nobody cancels what is another's"
        assert f"/trainer?from={others}" in everybody
        assert others in await listed(browser, owner="park")


async def test_filters_counts_and_slurm_ids(kim: Site, small: dict[str, Any]) -> None:
    running = await kim.world.submit(small, name="first")
    for _ in range(3):
        await kim.world.round()
    waiting = await kim.world.submit(large(small, "APP-BIG"), name="second")
    await kim.world.round()
    test = await kim.world.start_test(waiting)
    await kim.world.cancel(waiting)
    job = (await kim.world.workload(running)).attempts[-1].jobs[0].leader_id
    async with kim.client() as browser:
        await sign_in(browser)
        page = await listed(browser)
        for chip in ("전체 <b>2</b>", "실행 중 <b>1</b>", "취소 <b>1</b>", "대기 <b>0</b>"):
            assert chip in page, chip
        assert test not in page
        assert test in await listed(browser, kind="test")
        only = await listed(browser, status="running")
        assert (f'id="w-{running}"' in only, f'id="w-{waiting}"' in only, "취소 <b>1</b>" in only) == (
            True,
            False,
            True,
        )
        for query in (str(job), f"{job}+1", "first", running.lower()):
            found = await listed(browser, q=query)
            assert (f'id="w-{running}"' in found, f'id="w-{waiting}"' in found) == (True, False), query
        assert f'id="w-{waiting}"' in await listed(browser, app="APP-BIG")
        assert "조건에 맞는 워크로드가 없습니다." in await listed(browser, q="nothing")
        assert "조건에 맞는 워크로드가 없습니다." in await listed(browser, to="2001-01-01")
        assert f'id="w-{running}"' in await listed(browser, **{"from": "2001-01-01"})
        strange = await listed(browser, status="nonsense", kind="x", sort="y", **{"from": "yesterday", "to": "9999-99"})
        assert f'id="w-{running}"' in strange
        assert await listed(browser, to="9999-12-31")


async def test_the_csv_has_the_rows_of_the_filter_and_no_formulas(kim: Site, small: dict[str, Any]) -> None:
    first = await kim.world.submit(small, name="=HYPERLINK(1)")
    await kim.world.submit({**small, "app_id": "APP-OTHER"}, name="다른 것")
    async with kim.client() as browser:
        await sign_in(browser)
        assert "/workloads.csv?q=HYPER" in await listed(browser, q="HYPER")
        answer = await browser.get("/workloads.csv", params={"q": "HYPER"})
        assert answer.headers["content-disposition"] == 'attachment; filename="workloads.csv"'
        head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
        assert (head[:3], len(rows)) == (["ID", "이름", "상태"], 1)
        assert rows[0][:2] == [first, "'=HYPERLINK(1)"]


async def test_several_are_cancelled_after_one_question(kim: Site, small: dict[str, Any]) -> None:
    ids = [await kim.world.submit({**small, "app_id": f"APP-{n}"}, name=f"run {n}") for n in range(2)]
    async with kim.client() as browser:
        await sign_in(browser)
        asked = await browser.get("/workloads/cancel", params={"id": ids})
        assert ("run 0" in asked.text, "run 1" in asked.text, "되돌릴 수 없습니다" in asked.text) == (True, True, True)
        answer = await browser.post("/workloads/cancel", data={"form_token": token_in(asked), "id": ids})
        assert (answer.status_code, answer.headers["location"]) == (303, "/workloads")
        again = await browser.get("/workloads/cancel", params={"id": ids})
        assert "취소할 수 있는 워크로드가 없습니다." in again.text
    assert [row.state for row in await kim.world.rows(Workload)] == ["cancelled", "cancelled"]


async def test_an_admin_gives_a_reason_before_anything_is_cancelled(kim: Site, small: dict[str, Any]) -> None:
    from portal.db.engine import transaction
    from portal.services import accounts, passwords
    from tests.web.test_signin import PASSWORD

    theirs = await kim.world.submit(small)
    async with transaction(kim.world.maker) as session:
        await passwords.put(await accounts.user_named(session, "admin"), PASSWORD, temporary=False)
    async with kim.client() as browser:
        await sign_in(browser, "admin")
        assert theirs in await listed(browser), "admins begin with all"
        token = token_in(await browser.get("/workloads/cancel", params={"id": theirs}))
        refused = await browser.post("/workloads/cancel", data={"form_token": token, "id": theirs, "reason": ""})
        assert (refused.status_code, 'id="e-reason"' in refused.text) == (422, True)
        assert (await kim.world.workload(theirs)).state == "submitted"
        answer = await browser.post("/workloads/cancel", data={"form_token": token, "id": theirs, "reason": "too long"})
        assert answer.status_code == 303
    assert (await kim.world.workload(theirs)).cancel_reason == "too long"


async def test_viewers_look_and_private_runs_are_not_there(kim: Site, small: dict[str, Any]) -> None:
    from portal.db.engine import transaction
    from portal.db.models import App

    seen = await kim.world.submit(small)
    hidden = await kim.world.submit({**small, "app_id": "APP-PRIVATE"})
    async with transaction(kim.world.maker) as session:
        (await session.get_one(App, "APP-PRIVATE")).visibility = "private"
    async with kim.client() as browser:
        await as_viewer(kim, browser)
        page = await listed(browser)
        assert (f'id="w-{seen}"' in page, hidden in page) == (True, False)
        assert "/trainer" not in page
        assert (await browser.get("/workloads/cancel", params={"id": seen})).status_code == 403
        assert (await browser.get("/workloads.csv")).status_code == 200


async def test_the_app_page_leads_to_the_trainer(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        await kim.post("kim", "/apps", small, status=201)
        path = f"/trainer?app={small['app_id']}&v={small['version']}"
        assert path in html.unescape((await browser.get(f"/apps/{small['app_id']}")).text)
        assert fields_in(await browser.get(path), "trainer-form")["v"] == small["version"]
    async with kim.client() as browser:
        await as_viewer(kim, browser)
        assert "/trainer" not in (await browser.get(f"/apps/{small['app_id']}")).text


async def test_the_list_is_filtered_by_gpu_type(kim: Site, small: dict[str, Any]) -> None:
    with_gpus = await kim.world.submit(small, name="with")
    without = copy.deepcopy(small)
    without["app_id"] = "APP-NOGPU"
    for component in (part for task in without["tasks"] for part in task["components"]):
        component["resources"].update(gpu_count=0)
    plain = await kim.world.submit(without, name="without")
    async with kim.client() as browser:
        await sign_in(browser)
        found = {gpu: await listed(browser, gpu=gpu) for gpu in ("A100", "V100", "none", "A10", "%")}
    seen = {gpu: (with_gpus in page, plain in page) for gpu, page in found.items()}
    assert seen == {
        "A100": (True, False),
        "V100": (True, False),
        "none": (False, True),
        "A10": (False, False),
        "%": (False, False),
    }
