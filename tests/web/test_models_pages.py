"""P16, P17, P18 and P12 over HTTP: the list, one model in tabs, what people change, downloads that resume, comparisons."""

from __future__ import annotations

import copy
import csv
import html
import io
import re
import tarfile
from hashlib import sha256
from typing import Any

import httpx2
import pytest

from portal.db.engine import transaction
from portal.db.models import App, Audit, Model
from portal.services import accounts, modelview, passwords
from tests.browser.scene_models import safetensors, write_files
from tests.daemon.test_road import RISING
from tests.web.conftest import Site
from tests.web.test_apps_pages import as_viewer
from tests.web.test_signin import PASSWORD, kim, sign_in, token_in
from tests.web.test_workloads import submitted

__all__ = ["kim"]
APP = "APP-SMALL1"
V1, V2 = f"/models/{APP}/any/v1", f"/models/{APP}/any/v2"
HEADER = safetensors({"layer.weight": (2, 3)}, framework="made-up")


async def trained(site: Site, spec: dict[str, Any], rewards: list[float], files: dict[str, bytes] | None = None) -> str:
    """A run of kim's to its end, and `files` as its model."""
    world = site.world
    workload_id = await submitted(site, spec)
    for _ in range(8):
        await world.round()
        workload = await world.workload(workload_id)
        if workload.state == "running":
            write_files(workload.attempts[-1].run_dir, files or {})
            await world.play(workload_id, rewards=rewards, model=not files)
        elif workload.state == "completed":
            return workload_id
    raise AssertionError(workload.state)


@pytest.fixture
async def two(kim: Site, small: dict[str, Any]) -> tuple[Site, str, str]:
    """kim has two versions that differ in the learning rate alone; the second has three files."""
    first = await trained(kim, small, RISING)
    other = copy.deepcopy(small)
    other["version"] = "1.1.0"
    other["training_config"]["learning_rate"] = 0.01
    files = {"policy.safetensors": HEADER, "sub/한글.json": b"{}", "bad.safetensors": b"\xff" * 20}
    return kim, first, await trained(kim, other, [2 * value for value in RISING], files)


async def as_park(site: Site, browser: httpx2.AsyncClient) -> None:
    async with transaction(site.world.maker) as session:
        await passwords.put(await accounts.user_named(session, "park"), PASSWORD, temporary=False)
    await sign_in(browser, "park")


async def change(browser: httpx2.AsyncClient, address: str, **fields: str) -> httpx2.Response:
    token = token_in(await browser.get(V1))
    return await browser.post(address, data={"form_token": token, **fields})


def rows_of(answer: httpx2.Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_the_list_filters_sorts_and_says_what_is_missing(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        empty = await browser.get("/models")
        assert "저장된 모델이 없습니다. 워크로드가 완료되면 자동으로 저장됩니다." in empty.text
        await trained(kim, small, RISING)
        await trained(kim, {**small, "version": "1.1.0"}, RISING)
        page = (await browser.get("/models")).text
        for text in ("RL-DesignOpt-v1-final", APP, "1–2 / 전체 2건", "reward", "40", "완료", "조회", "다운로드"):
            assert text in page, text
        assert page.index(">v2<") < page.index(">v1<"), "the newest first"
        rising = (await browser.get("/models", params={"sort": "version"})).text
        assert rising.index(">v1<") < rising.index(">v2<")
        latest = (await browser.get("/models", params={"latest": "1"})).text
        assert (">v2<" in latest, ">v1<" in latest) == (True, False)
        for nothing in ({"q": "nothing"}, {"owner": "park"}, {"status": "purged"}, {"alias": "champion"}, {"app": "X"}):
            assert "조건에 맞는 모델이 없습니다." in (await browser.get("/models", params=nothing)).text, nothing
        assert (
            "1–2 / 전체 2건" in (await browser.get("/models", params={"owner": "me", "app": APP, "q": "design"})).text
        )
        rows = rows_of(await browser.get("/models/list.csv", params={"latest": "1"}))
        assert [row[:3] for row in rows[1:]] == [[APP, "2", "RL-DesignOpt-v1-final"]]


async def test_a_viewer_reads_and_takes_nothing(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await as_viewer(site, browser)
        assert "RL-DesignOpt-v1-final" in (await browser.get("/models")).text
        page = await browser.get(V2)
        assert (page.status_code, "/alias" in page.text, "다운로드" in page.text) == (200, False, False)
        for path in ("/files/policy.safetensors", "/all.tar", "/spec.json"):
            assert (await browser.get(V2 + path)).status_code == 403
        assert "로그를 공개하지 않았습니다" in (await browser.get(V2, params={"tab": "logs"})).text
        for path in ("/alias", "/note", "/rename", "/archive", "/verify"):
            assert (await browser.post(V2 + path, data={"form_token": token_in(page)})).status_code == 403


async def test_a_private_apps_models_do_not_exist_for_others(two: tuple[Site, str, str]) -> None:
    site, first, second = two
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, APP)).visibility = "private"
    async with site.client() as browser:
        await as_park(site, browser)
        assert APP not in (await browser.get("/models")).text
        for path in (V1, f"{V1}/files/policy.safetensors", f"{V1}/all.tar", f"/models/compare?v={APP}:1&v={APP}:2"):
            assert (await browser.get(path)).status_code == 404, path
        assert (await browser.get(f"/workloads/compare?id={first}&id={second}")).status_code == 404


async def test_too_many_apps_are_searched_not_chosen(
    two: tuple[Site, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await sign_in(browser)
        assert f'<option value="{APP}">' in (await browser.get("/models")).text
        monkeypatch.setattr(modelview, "MOST_CHOICES", 0)
        page = (await browser.get("/models", params={"app": APP})).text
        assert f'<option value="{APP}"' not in page
        assert f'<input type="hidden" name="app" value="{APP}">' in page


async def test_every_tab_of_a_model(two: tuple[Site, str, str]) -> None:
    site, _, second = two
    wanted = {
        "overview": ("계보", second, "sha256:", "/training-data/rl-design-opt-v1", "지표 요약", "80"),
        "spec": ("내용이 이 해시와 같습니다", "&#34;app_id&#34;"),
        "training": ("learning_rate", "0.01"),
        "logs": ("안녕", "TASK-001/CL-REF-002"),
        "files": (
            "sub/한글.json",
            sha256(HEADER).hexdigest(),
            "layer.weight",
            "2 × 3",
            "made-up",
            "safetensors로 읽을 수 없음",
        ),
        "versions": (">v1<", ">v2<", "아직 지정한 별칭이 없습니다."),
        "notes": ("아직 메모가 없습니다.",),
        "no-such-tab": ("계보",),
    }
    async with site.client() as browser:
        await sign_in(browser)
        for tab, texts in wanted.items():
            page = await browser.get(V2, params={"tab": tab})
            assert page.status_code == 200
            for text in texts:
                assert text in page.text, (tab, text)
        assert "더 새로운 버전이 있습니다" in (await browser.get(V1)).text
        for path in (
            f"/models/{APP}/any/v9",
            f"/models/{APP}/any/2",
            "/models/APP-NONE/any/v1",
            f"/models/{APP}/any/v0",
        ):
            assert (await browser.get(path)).status_code == 404, path
        site.world.store.down = True
        down = await browser.get(V2, params={"tab": "files"})
        assert (down.status_code, "저장소에 연결할 수 없습니다" in down.text, "policy.safetensors" in down.text) == (
            200,
            True,
            True,
        )


async def test_downloads_resume_and_are_audited(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await sign_in(browser)
        path = f"{V2}/files/policy.safetensors"
        whole = await browser.get(path)
        assert whole.content == HEADER
        assert whole.headers["x-content-sha256"] == sha256(HEADER).hexdigest()
        rest = await browser.get(path, headers={"Range": "bytes=10-", "If-Range": whole.headers["etag"]})
        assert (rest.status_code, rest.content) == (206, HEADER[10:])
        other = await browser.get(path, headers={"Range": "bytes=10-", "If-Range": '"another"'})
        assert (other.status_code, other.content) == (200, HEADER), "another content: from the beginning"
        assert (await browser.get(f"{V2}/files/sub/한글.json")).content == b"{}"
        for wrong in ("../manifest.json", "nothing"):
            assert (await browser.get(f"{V2}/files/{wrong}")).status_code == 404
        site.world.store.down = True
        assert (await browser.get(path)).status_code == 503
    files = [row.after["file"] for row in await site.world.rows(Audit) if row.action == "model.download"]
    assert files[:2] == ["policy.safetensors"] * 2


async def test_the_tar_is_the_same_whole_and_in_pieces(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await sign_in(browser)
        whole = await browser.get(f"{V2}/all.tar")
        assert len(whole.content) == int(whole.headers["content-length"])
        with tarfile.open(fileobj=io.BytesIO(whole.content)) as tar:
            names = {name.removeprefix(f"{APP}-v2/"): tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
        assert names == {"policy.safetensors": HEADER, "sub/한글.json": b"{}", "bad.safetensors": b"\xff" * 20}
        pieces = b""
        for start in range(0, len(whole.content), 700):
            end = min(start + 700, len(whole.content)) - 1
            piece = await browser.get(f"{V2}/all.tar", headers={"Range": f"bytes={start}-{end}"})
            assert piece.status_code == 206
            pieces += piece.content
        assert pieces == whole.content


async def test_a_file_that_changed_in_the_store_is_found(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await sign_in(browser)
        good = await change(browser, f"{V2}/verify", path="policy.safetensors")
        assert "저장 당시와 같습니다" in good.text
        site.world.store.objects["models", f"{APP}/v2/files/policy.safetensors"] = HEADER[:-1] + b"x"
        bad = await change(browser, f"{V2}/verify", path="policy.safetensors")
        assert "파일이 저장 당시와 다릅니다" in bad.text
        assert (await change(browser, f"{V2}/verify", path="../x")).status_code == 404


async def test_an_alias_moves_with_a_reason_and_back(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await sign_in(browser)
        given = await change(browser, f"{V1}/alias", alias="champion")
        assert given.status_code == 303
        refused = await change(browser, f"{V2}/alias", alias="champion")
        assert (refused.status_code, "사유를 적으세요" in refused.text) == (422, True)
        moved = await change(browser, f"{V2}/alias", alias="champion", reason="<b>더 낫다</b>")
        page = await browser.get(moved.headers["location"])
        assert "champion 별칭을 v2로 옮겼습니다" in page.text
        assert "&lt;b&gt;더 낫다" in page.text
        assert "champion" in (await browser.get("/models", params={"alias": "champion"})).text
        undo = re.search(r'action="([^"]*alias-undo[^"]*)"', page.text)
        assert undo is not None
        back = await browser.post(html.unescape(undo[1]), data={"form_token": token_in(page)})
        assert back.status_code == 303
        again = await browser.post(html.unescape(undo[1]), data={"form_token": token_in(page)})
        assert again.status_code == 409, "it has moved since"
        for wrong in ("v1", "latest", "Champion", "a b", "x" * 33, ""):
            assert (await change(browser, f"{V1}/alias", alias=wrong)).status_code == 422, wrong
        assert (await change(browser, f"{V1}/alias", own="my-best", alias="champion")).status_code == 303
        taken = await change(browser, f"{V1}/alias", alias="my-best", take="1", reason="끝")
        assert taken.status_code == 303
        history = (await browser.get(V1, params={"tab": "versions"})).text
        assert history.count('class="moves"') == 1
        assert [history.index(text) for text in ("끝", "되돌리기", "더 낫다")] == sorted(
            history.index(text) for text in ("끝", "되돌리기", "더 낫다")
        )
    audited = [(row.before, row.after) for row in await site.world.rows(Audit) if row.action == "model.alias"]
    assert [(before["version"], after["version"]) for before, after in audited] == [
        (None, 1),
        (1, 2),
        (2, 1),
        (None, 1),
        (1, None),
    ]


async def test_a_colleague_may_not_change_it_and_the_apps_owner_may_alias(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await as_park(site, browser)
        for path in ("/alias", "/note", "/rename", "/archive"):
            assert (await change(browser, V2 + path, alias="champion", name="x")).status_code == 403
        assert (await browser.get(f"{V2}/files/policy.safetensors")).status_code == 200, "any researcher may take it"
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, APP)).owner_id = site.world.actors["park"].user_id or 0
    async with site.client() as browser:
        await as_park(site, browser)
        assert (await change(browser, f"{V2}/alias", alias="champion")).status_code == 303
        assert (await change(browser, f"{V2}/rename", name="x")).status_code == 403


async def test_rename_archive_and_their_undo(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await sign_in(browser)
        renamed = await change(browser, f"{V1}/rename", name="최종/모델 #1")
        assert renamed.status_code == 303
        page = await browser.get(renamed.headers["location"])
        assert (page.status_code, "최종/모델 #1" in page.text) == (200, True)
        undo = re.search(r'action="([^"]*rename-undo[^"]*)"', page.text)
        assert undo is not None
        back = await browser.post(html.unescape(undo[1]), data={"form_token": token_in(page)})
        assert back.status_code == 303, back.text
        assert '<h1 tabindex="-1">RL-DesignOpt-v1-final' in (await browser.get(V1)).text
        for wrong in ("", " ", "a\u202eb", "x" * 161):
            assert (await change(browser, f"{V1}/rename", name=wrong)).status_code == 422, wrong
        assert (await change(browser, f"{V2}/archive")).status_code == 303
        assert "1–1 / 전체 1건" in (await browser.get("/models")).text
        assert "1–1 / 전체 1건" in (await browser.get("/models", params={"status": "archived"})).text
        latest = (await browser.get("/models", params={"latest": "1"})).text
        assert ">v1<" in latest, "an archived version is not the latest"
        assert "더 새로운 버전이 있습니다" not in (await browser.get(V1)).text
        assert (await change(browser, f"{V2}/restore")).status_code == 303
        assert "1–2 / 전체 2건" in (await browser.get("/models")).text
    actions = [row.action for row in await site.world.rows(Audit) if row.object_id in {f"{APP} v1", f"{APP} v2"}]
    assert actions == ["model.rename", "model.rename", "model.archive", "model.restore"]


async def test_a_note_is_markdown_without_any_html_and_keeps_its_history(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    hostile = (
        "# 제목\n\n**굵게** <script>alert(1)</script> [x](javascript:alert(1)) ![p](https://evil.example/p.png)\n\n"
        "<img src=x onerror=alert(1)>"
    )
    async with site.client() as browser:
        await sign_in(browser)
        assert (await change(browser, f"{V1}/note", note="처음")).status_code == 303
        assert (await change(browser, f"{V1}/note", note=hostile)).status_code == 303
        page = (await browser.get(V1, params={"tab": "notes"})).text
        prose = page[page.index('class="prose"') : page.index("</section>")]
        assert "<h3>제목</h3>" in prose
        assert "<strong>굵게</strong>" in prose
        for tag in ("<script", "<img", 'javascript:"', 'href="javascript'):
            assert tag not in prose, tag
        assert "처음" in page, "what it was before"
        assert (await change(browser, f"{V1}/note", note="x" * 20_001)).status_code == 422


async def test_models_are_compared_and_the_address_reproduces_it(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    address = f"/models/compare?v={APP}:1&v={APP}:2&base={APP}:1"
    async with site.client() as browser:
        await sign_in(browser)
        assert "비교할 모델을 두 개 이상 고르세요." in (await browser.get("/models/compare")).text
        assert "비교할 모델을 두 개 이상 고르세요." in (await browser.get(f"/models/compare?v={APP}:1")).text
        page = (await browser.get(address)).text
        for text in ("training_config.learning_rate", "0.001", "0.01", "Δ +40", "다른 설정 1개", "<one-chart", "최고"):
            assert text in page, text
        assert "env_vars.NCCL_DEBUG" not in page, "equal settings are hidden"
        assert "training_config.episodes" in (await browser.get(f"{address}&same=1")).text
        turned = (await browser.get(f"{address}&flip=reward")).text
        assert ("높을수록 좋음" in page, "낮을수록 좋음" in turned) == (True, True)
        for wrong in (f"v={APP}:1&v={APP}:9", f"v={APP}:1&v=x", f"v={APP}:1&v={APP}:٣"):
            assert (await browser.get(f"/models/compare?{wrong}")).status_code == 404, wrong
        rows = rows_of(await browser.get(address.replace("compare?", "compare.csv?")))
        assert rows[0] == ["kind", "where", "name", f"A {APP}:1", f"B {APP}:2"]
        assert ["metric", "last", "reward", "40.0", "80.0"] in rows
        assert [row for row in rows if row[0] == "setting"] == [
            ["setting", "", "training_config.learning_rate", "0.001", "0.01"]
        ]


async def test_runs_are_compared_also_while_they_run_or_the_store_is_away(
    two: tuple[Site, str, str], small: dict[str, Any]
) -> None:
    site, first, second = two
    waiting = await submitted(site, {**small, "version": "1.2.0"})
    async with site.client() as browser:
        await sign_in(browser)
        assert first in (await browser.get("/workloads/compare")).text
        page = (await browser.get(f"/workloads/compare?id={first}&id={second}&id={waiting}&base={second}")).text
        for text in ("Δ -40", "기록 없음", "training_config.learning_rate", 'hx-trigger="every 5s"'):
            assert text in page, text
        ended = (await browser.get(f"/workloads/compare?id={first}&id={second}&id={second}")).text
        assert "every 5s" not in ended
        assert (await browser.get(f"/workloads/compare?id={first}&id=W-NOSUCH")).status_code == 404
        site.world.store.down = True
        down = await browser.get(f"/workloads/compare?id={first}&id={second}")
        assert (down.status_code, "저장소에 연결할 수 없습니다" in down.text) == (200, True)
    async with site.world.maker() as session:
        assert await session.get(Model, 1) is not None


async def test_aliases_and_notes_by_the_api(two: tuple[Site, str, str]) -> None:
    site, _, _ = two
    given = await site.post("kim", f"/models/{APP}/2/aliases", {"alias": "champion"})
    assert (given["version"], given["aliases"]) == (2, ["champion"])
    refused = await site.post("kim", f"/models/{APP}/1/aliases", {"alias": "champion"}, status=422)
    assert refused["problems"][0]["path"] == "reason"
    await site.post("kim", f"/models/{APP}/1/aliases", {"alias": "champion", "reason": "back"})
    await site.post("park", f"/models/{APP}/1/aliases", {"alias": "x"}, status=403)
    await site.post("kim", f"/models/{APP}/1/note", {"note": "**good**"})
    assert (await site.get("viewer", f"/models/{APP}/1"))["note"] == "**good**"
    moves = (await site.get("viewer", f"/models/{APP}/aliases"))["items"]
    assert [(move["from"], move["version"], move["reason"]) for move in moves] == [(2, 1, "back"), (None, 2, "")]
    assert [item["version"] for item in (await site.get("park", "/models", alias="champion"))["items"]] == [1]
    assert [item["version"] for item in (await site.get("park", "/models", latest=True))["items"]] == [2]
    async with site.client("kim") as client:
        taken = await client.delete(f"/api/v1/models/{APP}/1/aliases/champion", params={"reason": "no"})
    assert (taken.status_code, taken.json()["aliases"]) == (200, [])
