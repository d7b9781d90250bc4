"""P3 over HTTP: the list and its filters, one App, a new one, and uploads with every problem at once."""

from __future__ import annotations

import html
import json
from typing import Any

import httpx2
import pytest

from portal.db.engine import transaction
from portal.db.models import App
from portal.services import accounts, passwords
from tests.web.conftest import Site
from tests.web.test_signin import PASSWORD, kim, sign_in, token_in

__all__ = ["kim"]


async def as_viewer(site: Site, browser: httpx2.AsyncClient) -> None:
    async with transaction(site.world.maker) as session:
        await passwords.put(await accounts.user_named(session, "viewer"), PASSWORD, temporary=False)
    await sign_in(browser, "viewer")


async def uploaded(browser: httpx2.AsyncClient, text: str | bytes, *, as_file: bool = True, **fields: str) -> Any:
    """Send a spec through the form, as a file or typed."""
    token = token_in(await browser.get("/upload-app"))
    if as_file:
        files = {"file": ("spec.json", text, "application/json")}
        return await browser.post("/upload-app", data={"form_token": token, "text": "", **fields}, files=files)
    empty = {"file": ("", b"", "application/octet-stream")}
    return await browser.post("/upload-app", data={"form_token": token, "text": text, **fields}, files=empty)


async def test_the_list_and_its_empty_states(kim: Site, example: dict[str, Any]) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        assert "App이 없습니다. 새 App을 만들거나 JSON 스펙 파일을 올리세요." in (await browser.get("/apps")).text
        assert "세 단계로 시작하세요" in (await browser.get("/")).text
        await kim.post("kim", "/apps", {**example, "name": "<b>bold</b>"}, status=201)
        await kim.post("park", "/apps", {**example, "app_id": "APP-PARK", "name": "park"}, status=201)
        page = (await browser.get("/apps")).text
        for text in (
            "&lt;b&gt;bold",
            example["app_id"],
            "APP-PARK",
            "A100 x 4, 128GB",
            "승인 필요",
            "준비 완료",
            "1–2 / 전체 2건",
        ):
            assert text in page, text
        mine = (await browser.get("/apps", params={"owner": "me", "status": "ready", "sort": "name"})).text
        assert ("APP-PARK" in mine, example["app_id"] in mine) == (False, True)
        assert 'href="/apps?status=ready&amp;sort=name"' in mine, "the chip of Mine takes only Mine away"
        assert "조건에 맞는 App이 없습니다." in (await browser.get("/apps", params={"q": "nothing"})).text
        assert example["app_id"] in (await browser.get("/")).text


async def test_a_new_app_goes_to_its_builder_and_a_bad_name_comes_back(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        form = {"form_token": token_in(await browser.get("/new-app")), "visibility": "private"}
        bad = await browser.post("/new-app", data={**form, "name": "a\u202eb"})
        assert (bad.status_code, 'aria-invalid="true"' in bad.text) == (422, True)
        assert (await browser.post("/new-app", data={**form, "name": " "})).status_code == 422
        made = await browser.post("/new-app", data={**form, "name": "새 실험"})
        path, _, query = made.headers["location"].partition("?")
        assert (made.status_code, path.endswith("/builder"), query) == (303, True, "tab=app")
        assert (await browser.get(path)).status_code == 200
        page = await browser.get(path.removesuffix("/builder"))
        for text in ("새 실험", "초안", "비공개", "아직 버전이 없습니다."):
            assert text in page.text, text
    async with kim.world.maker() as session:
        assert (await session.get_one(App, path.split("/")[2])).visibility == "private"


@pytest.mark.parametrize("as_file", [True, False])
async def test_an_upload_shows_all_problems_and_keeps_nothing_until_none_is_left(
    kim: Site, small: dict[str, Any], as_file: bool
) -> None:
    wrong = {**small, "extra": 1, "storage": {"training_data_path": "/elsewhere/data"}}
    first = small["tasks"][0]["components"][0]
    bad = {**first, "resources": {**first["resources"], "memory": "much"}}
    wrong["tasks"] = [{**small["tasks"][0], "components": [bad, *small["tasks"][0]["components"][1:]]}]
    async with kim.client() as browser:
        await sign_in(browser)
        answer = await uploaded(browser, json.dumps(wrong), as_file=as_file)
        assert answer.status_code == 422
        for path in ("$.extra", "$.tasks[0].components[0].resources.memory"):
            assert f">{path}</code>" in answer.text, path
        assert "/elsewhere/data" in html.unescape(answer.text), "what was sent is in the text field"
        site_only = {**small, "storage": {"training_data_path": "/elsewhere/data"}}
        refused = await uploaded(browser, json.dumps(site_only), as_file=as_file)
        assert (refused.status_code, "$.storage.training_data_path" in refused.text) == (422, True)
        assert small["app_id"] not in (await browser.get("/apps")).text
        made = await uploaded(browser, json.dumps(small), as_file=as_file)
        assert (made.status_code, made.headers["location"]) == (303, f"/apps/{small['app_id']}")
        assert f"{small['name']} 1.0.0 준비 완료" in (await browser.get(made.headers["location"])).text


async def test_uploads_that_collide_name_the_way_out(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("park", "/apps", small, status=201)
    await kim.post("kim", "/apps", {**small, "app_id": "APP-MINE"}, status=201)
    async with kim.client() as browser:
        await sign_in(browser)
        for spec in ({**small, "name": "other"}, {**small, "app_id": "APP-MINE", "name": "other"}):
            answer = await uploaded(browser, json.dumps(spec))
            assert (answer.status_code, "새 App으로 올리기" in answer.text, "--as-new-app" in answer.text) == (
                409,
                True,
                False,
            )
        made = await uploaded(browser, json.dumps(small), as_new="on")
        assert made.status_code == 303
        assert made.headers["location"] != f"/apps/{small['app_id']}"
        for junk in (b"", b"\xff\xfe", b"{"):
            assert (await uploaded(browser, junk)).status_code == 422


async def test_one_app_with_its_versions_and_its_file(kim: Site, example: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", example, status=201)
    app = f"/apps/{example['app_id']}"
    newer = {**example, "version": "1.1.0+a", "name": "newer"}
    await kim.post("kim", "/apps", newer, status=201)
    async with kim.client() as browser:
        await sign_in(browser)
        summary = (await browser.get(app)).text
        for text in ("TASK-001", "A100 x 4, 128GB", "승인 필요: GPU 4 ≥ 임계치 4", f'href="{app}/builder"'):
            assert text in summary, text
        versions = (await browser.get(app, params={"tab": "versions"})).text
        assert f'href="{app}?tab=spec&amp;v=1.1.0%2Ba"' in versions
        spec = await browser.get(app, params={"tab": "spec", "v": example["version"]})
        assert "내용이 이 해시와 같습니다" in spec.text
        file = await browser.get(f"{app}/spec.json", params={"v": example["version"]})
        assert file.json() == example
        assert f"{example['app_id']}-{example['version']}.json" in file.headers["content-disposition"]
        assert (await browser.get(f"{app}/spec.json")).json() == newer
        assert (await browser.get(app, params={"tab": "nothing"})).status_code == 200
        for address in (f"{app}?v=9.9", f"{app}/spec.json?v=9.9", "/apps/APP-NONE", "/apps/APP-NONE/spec.json"):
            assert (await browser.get(address)).status_code == 404, address


async def test_a_private_app_of_another_is_not_there(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("park", "/apps", small, status=201)
    async with transaction(kim.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    async with kim.client() as browser:
        await sign_in(browser)
        assert small["app_id"] not in (await browser.get("/apps")).text
        for address in ("", "?tab=spec", "/spec.json"):
            assert (await browser.get(f"/apps/{small['app_id']}{address}")).status_code == 404


async def test_a_viewer_reads_takes_the_spec_file_and_changes_nothing(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", small, status=201)
    app = f"/apps/{small['app_id']}"
    async with kim.client() as browser:
        await as_viewer(kim, browser)
        page = (await browser.get("/apps")).text
        assert (app in page, "/new-app" in page, "/upload-app" in page) == (True, False, False)
        seen = (await browser.get(app)).text
        assert (f'href="{app}/builder?v=1.0.0"' in seen, "spec.json" in seen) == (True, True)
        assert (await browser.get(f"{app}/spec.json")).json() == small, "D5 allows a viewer the spec file"
        for address in ("/new-app", "/upload-app"):
            assert (await browser.get(address)).status_code == 403, address
        token = {"form_token": token_in(await browser.get("/apps")), "name": "mine", "text": "{}"}
        for address in ("/new-app", "/upload-app"):
            assert (await browser.post(address, data=token)).status_code == 403, address
