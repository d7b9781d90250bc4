"""P19 and the Operator block of the Trainer over HTTP: uploads, results shown, what a browser never renders, comparisons."""

from __future__ import annotations

import html
from typing import Any

from portal.db.models import Analysis, Audit, OperatorVersion
from portal.services import analyses, operators
from tests.daemon.test_operators import CODE, RESULTS, analysis_of, completed
from tests.daemon.test_road import RISING, finished
from tests.web.conftest import Site
from tests.web.formfields import fields_in
from tests.web.test_apps_pages import as_viewer
from tests.web.test_models_pages import as_park
from tests.web.test_signin import kim, sign_in, token_in

__all__ = ["kim"]
CHART = b'{"title": "Best reward", "x": "episode", "lines": [{"name": "best", "points": [[1, 10], [2, 12.5]]}]}'
SHOWN = RESULTS | {"best.chart.json": CHART, "settings.json": b'{"rate": 0.01}', "bad.chart.json": b"{}"}


def file_of(data: bytes, name: str = "reward.py") -> dict[str, tuple[str, bytes, str]]:
    return {"file": (name, data, "application/octet-stream")}


async def looked_at(site: Site, spec: dict[str, Any], results: dict[str, bytes]) -> tuple[str, str]:
    """A finished run of kim's and a finished analysis of it."""
    workload_id = await completed(site.world, spec)
    run_id = await site.world.analyse(workload_id, await site.world.upload(CODE))
    await finished(site.world, run_id, out=results)
    return workload_id, run_id


async def test_an_operator_chosen_in_the_trainer_is_kept_even_when_the_form_is_wrong(
    kim: Site, small: dict[str, Any]
) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        await kim.post("kim", "/apps", small, status=201)
        page = await browser.get("/trainer", params={"app": small["app_id"]})
        fields = fields_in(page, "trainer-form")
        del fields["file"]
        assert 'name="file" type="file" accept=".py,.zip"' in page.text
        wrong = await browser.post("/trainer", data=fields | {"learning_rate": "7"}, files=file_of(CODE))
        assert wrong.status_code == 422
        kept = fields_in(wrong, "trainer-form")
        del kept["file"]
        (version,) = await kim.world.rows(OperatorVersion)
        assert kept["operator"] == operators.reference(version)
        bad = await browser.post("/trainer", data=kept, files=file_of(b"x", "evil.sh"))
        assert (bad.status_code, "evil.sh: .py 또는 .zip 파일이어야 합니다" in html.unescape(bad.text)) == (422, True)
        sent = await browser.post("/trainer", data=kept | {"learning_rate": "0.01"})
        assert sent.status_code == 303
        workload_id = sent.headers["location"].rpartition("/")[2]
        assert (await kim.world.workload(workload_id)).options["operator"] == operators.reference(version)
        await finished(kim.world, workload_id, rewards=RISING)
        (analysis,) = await kim.world.rows(Analysis)
        cloned = fields_in(await browser.get("/trainer", params={"from": workload_id}), "trainer-form")
        assert cloned["operator"] == operators.reference(version)
        results = (await browser.get(f"/workloads/{workload_id}", params={"tab": "results"})).text
        assert f"/analyses/{analysis.run_id}" in results


async def test_results_are_shown_and_html_is_only_handed_out(kim: Site, small: dict[str, Any]) -> None:
    workload_id, run_id = await looked_at(kim, small, SHOWN)
    async with kim.client() as browser:
        await sign_in(browser)
        answer = await browser.get(f"/analyses/{run_id}")
        page = html.unescape(answer.text)
        assert "<script>1" not in answer.text
        for text in (
            "25.5",
            "Best reward",
            "<td>10</td>",
            "&#34;rate&#34;: 0.01",
            "표시할 수 없음",
            "page.html",
            "다시 분석",
        ):
            assert text in answer.text or text in page, text
        assert "print('looking')" in page, "the Operator's source"
        taken = await browser.get(f"/analyses/{run_id}/files/page.html")
        assert taken.content == SHOWN["page.html"]
        assert taken.headers["content-disposition"].startswith("attachment")
        assert "html" not in taken.headers["content-type"]
        assert (await browser.get(f"/analyses/{run_id}/files/nothing")).status_code == 404
        assert (await browser.get(f"/analyses/{run_id}/operator")).content == CODE
        assert run_id in (await browser.get("/analyses", params={"workload": workload_id, "status": "completed"})).text
        assert "조건에 맞는 결과가 없습니다." in (await browser.get("/analyses", params={"status": "failed"})).text
        model = (await browser.get("/models/APP-SMALL1/any/v1")).text
        assert f"/analyses/{run_id}" in model, "shown on the model too"
        actions = [row.action for row in await kim.world.rows(Audit)]
        assert {"analysis.download", "operator.download", "operator.upload", "analysis.start"} <= set(actions)


async def test_analysing_again_from_the_page_and_with_a_new_file(kim: Site, small: dict[str, Any]) -> None:
    workload_id, run_id = await looked_at(kim, small, RESULTS)
    async with kim.client() as browser:
        await sign_in(browser)
        page = await browser.get(f"/analyses/{run_id}")
        again = await browser.post(f"/analyses/{run_id}/again", data={"form_token": token_in(page)})
        assert again.status_code == 303
        second = again.headers["location"].rpartition("/")[2]
        assert (await analysis_of(kim.world, second)).workload_id == workload_id
        form = await browser.get("/analyses/new", params={"workload": workload_id})
        asked = {"form_token": token_in(form), "workload": workload_id}
        nothing = await browser.post("/analyses/new", data=asked)
        assert (nothing.status_code, "파일을 고르세요" in nothing.text) == (422, True)
        third = await browser.post("/analyses/new", data=asked, files=file_of(CODE + b"# 2\n"))
        assert third.status_code == 303
        assert len(await kim.world.rows(Analysis)) == 3


async def test_a_failed_analysis_says_that_the_result_stands(kim: Site, small: dict[str, Any]) -> None:
    workload_id = await completed(kim.world, small)
    run_id = await kim.world.analyse(workload_id, await kim.world.upload(CODE))
    await finished(kim.world, run_id, fail=analyses.STEP)
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get(f"/analyses/{run_id}")).text
        assert "분석이 실패했습니다. 워크로드 결과에는 영향이 없습니다." in html.unescape(page)
        assert ">완료<" in (await browser.get(f"/workloads/{workload_id}")).text


async def test_own_operators_are_uploaded_archived_and_taken_back(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        empty = await browser.get("/analyses/operators")
        assert "아직 Operator가 없습니다." in empty.text
        token = {"form_token": token_in(empty)}
        made = await browser.post("/analyses/operators", data=token | {"operator_name": "거리"}, files=file_of(CODE))
        assert made.status_code == 303
        (version,) = await kim.world.rows(OperatorVersion)
        assert "거리" in (await browser.get("/analyses/operators")).text
        path = f"/analyses/operators/{version.operator_id}"
        assert (await browser.post(f"{path}/archive", data=token)).status_code == 303
        assert "보관됨" in (await browser.get("/analyses/operators")).text
        assert (await browser.post(f"{path}/restore", data=token)).status_code == 303
        wrong = await browser.post("/analyses/operators", data=token, files=file_of(b"", "x.zip"))
        assert (wrong.status_code, "x.zip: 파일이 비어 있습니다" in wrong.text) == (422, True)


async def test_others_see_results_and_change_nothing(kim: Site, small: dict[str, Any]) -> None:
    workload_id, run_id = await looked_at(kim, small, RESULTS)
    async with kim.client() as browser:
        await as_park(kim, browser)
        page = await browser.get(f"/analyses/{run_id}")
        assert (page.status_code, "다시 분석" in page.text) == (200, False)
        token = {"form_token": token_in(page)}
        again = await browser.post(f"/analyses/{run_id}/again", data=token)
        assert again.status_code == 303
        assert len(await kim.world.rows(Analysis)) == 1, "refused, and said in a toast"
        refused = await browser.post("/analyses/new", data=token | {"workload": workload_id}, files=file_of(CODE))
        assert refused.status_code == 403
    async with kim.client() as browser:
        await as_viewer(kim, browser)
        page = await browser.get(f"/analyses/{run_id}")
        assert "25.5" in page.text
        assert "print(" not in page.text
        for path in ("files/page.html", "operator"):
            assert (await browser.get(f"/analyses/{run_id}/{path}")).status_code == 403
        assert (await browser.get("/analyses/operators")).status_code == 403


async def test_figures_are_compared_across_runs(kim: Site, small: dict[str, Any]) -> None:
    first, _ = await looked_at(kim, small, RESULTS)
    second, _ = await looked_at(kim, {**small, "version": "1.1.0"}, {"summary.json": b'{"mean": 31, "note": "better"}'})
    query = (("id", first), ("id", second))
    async with kim.client() as browser:
        await sign_in(browser)
        page = html.unescape((await browser.get("/workloads/compare", params=query)).text)
        block = page[page.index('id="figures"') : page.index('id="settings"')]
        for text in ("reward", "mean", "25.5", "31", "better", "기록 없음"):
            assert text in block, text
        rows = (await browser.get("/workloads/compare.csv", params=query)).text
        assert "analysis,reward,mean,25.5,31" in rows.replace("25.5,31.0", "25.5,31")


async def test_without_storage_the_page_still_lists_the_files(kim: Site, small: dict[str, Any]) -> None:
    _, run_id = await looked_at(kim, small, RESULTS)
    kim.world.store.down = True
    async with kim.client() as browser:
        await sign_in(browser)
        page = html.unescape((await browser.get(f"/analyses/{run_id}")).text)
    assert "저장소에 연결할 수 없습니다" in page
    assert "rewards.csv" in page
    assert "25.5" in page, "figures are in the database"


PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


async def test_images_are_shown_alone_and_only_when_they_are_some(kim: Site, small: dict[str, Any]) -> None:
    results = RESULTS | {"plots/보상.png": PNG, "evil.png": b"<script>alert(1)</script>", "page.svg": b"<svg/>"}
    workload_id, run_id = await looked_at(kim, small, results)
    good = f"/analyses/{run_id}/images/plots/%EB%B3%B4%EC%83%81.png"
    async with kim.client() as browser:
        await sign_in(browser)
        page = html.unescape((await browser.get(f"/analyses/{run_id}")).text)
        assert f'<img src="{good}"' in page
        assert 'alt="Operator reward이(가) 만든 이미지 plots/보상.png"' in page
        assert "PNG 이미지가 아닙니다" in page
        assert f'src="/analyses/{run_id}/images/evil.png"' not in page
        assert good in (await browser.get(f"/workloads/{workload_id}", params={"tab": "results"})).text
        image = await browser.get(good)
        assert (image.status_code, image.content, image.headers["content-type"]) == (200, PNG, "image/png")
        assert image.headers["x-content-type-options"] == "nosniff"
        assert image.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert image.headers["content-disposition"].startswith("inline")
        for path in ("evil.png", "page.svg", "page.html", "summary.json", "nothing.png"):
            assert (await browser.get(f"/analyses/{run_id}/images/{path}")).status_code == 404, path
    async with kim.client() as stranger:
        assert (await stranger.get(good)).status_code in (302, 303)
