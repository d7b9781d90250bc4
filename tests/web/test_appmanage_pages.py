"""P3 over HTTP: an App put away and taken back, shown or hidden, copied; its versions compared and drawn again."""

from __future__ import annotations

import copy
from typing import Any

import httpx2
from sqlalchemy import select

from portal.db.models import App, Draft
from tests.web.conftest import Site
from tests.web.test_signin import kim, sign_in, token_in

__all__ = ["kim"]


async def press(browser: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
    """Send one of the App page's forms."""
    token = token_in(await browser.get("/apps"))
    return await browser.post(path, data={"form_token": token, **fields})


async def two_versions(site: Site, example: dict[str, Any]) -> str:
    """1.0.0 as in the specification, 1.1.0 with more memory for one component."""
    await site.post("kim", "/apps", example, status=201)
    newer = copy.deepcopy(example)
    newer["version"] = "1.1.0"
    newer["tasks"][0]["components"][0]["resources"]["memory"] = "160GB"
    await site.post("kim", "/apps", newer, status=201)
    return str(example["app_id"])


async def test_an_archived_app_leaves_the_list_and_takes_no_requests(
    kim: Site, example: dict[str, Any], small: dict[str, Any]
) -> None:
    await kim.post("kim", "/apps", small, status=201)
    app_id = small["app_id"]
    async with kim.client() as browser:
        await sign_in(browser)
        assert (await press(browser, f"/apps/{app_id}/archive")).headers["Location"] == f"/apps/{app_id}"
        assert app_id not in (await browser.get("/apps")).text
        assert app_id in (await browser.get("/apps", params={"status": "archived"})).text
        assert "보관된 App입니다" in (await browser.get(f"/apps/{app_id}")).text
        refused = await kim.post("kim", "/workloads", {"spec": small}, status=409)
        assert refused["code"] == "app_archived"
        await press(browser, f"/apps/{app_id}/restore")
        assert app_id in (await browser.get("/apps")).text
    await kim.post("kim", "/workloads", {"spec": small}, status=201)
    assert (await kim.world.actions(app_id))[-2:] == ["app.archive", "app.restore"]


async def test_only_its_owner_puts_an_app_away(kim: Site, example: dict[str, Any]) -> None:
    await kim.post("park", "/apps", example, status=201)
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get(f"/apps/{example['app_id']}")).text
        assert "/archive" not in page
        assert "/share" not in page
        for word in ("archive", "restore", "share"):
            answer = await press(browser, f"/apps/{example['app_id']}/{word}", visibility="private")
            assert answer.status_code == 403, word
    (app,) = await kim.world.rows(App)
    assert (app.archived_at, app.visibility) == (None, "lab")


async def test_a_private_app_is_absent_for_others(kim: Site, example: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", example, status=201)
    app_id = example["app_id"]
    async with kim.client() as browser:
        await sign_in(browser)
        await press(browser, f"/apps/{app_id}/share", visibility="private", share_logs="on")
        assert (await press(browser, f"/apps/{app_id}/share", visibility="everybody")).status_code == 422
    (app,) = await kim.world.rows(App)
    assert (app.visibility, app.share_logs) == ("private", True)
    async with kim.client("park") as client:
        assert (await client.get(f"/api/v1/apps/{app_id}")).status_code == 404


async def test_two_versions_side_by_side(kim: Site, example: dict[str, Any]) -> None:
    app_id = await two_versions(kim, example)
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get(f"/apps/{app_id}/compare")).text
        assert "resources.memory" in page
        assert "160GB" in page
        same = (await browser.get(f"/apps/{app_id}/compare", params={"old": "1.0.0", "new": "1.0.0"})).text
        assert "resources.memory" not in same
        assert "다른 것이 없습니다" in same
        assert (await browser.get(f"/apps/{app_id}/compare", params={"old": "9"})).status_code == 404


async def test_an_older_version_is_drawn_again_above_all(kim: Site, example: dict[str, Any]) -> None:
    app_id = await two_versions(kim, example)
    async with kim.client() as browser:
        await sign_in(browser)
        answer = await press(browser, f"/apps/{app_id}/draft", version="1.0.0")
        assert answer.headers["Location"] == f"/apps/{app_id}/builder?tab=app"
        again = await press(browser, f"/apps/{app_id}/draft", version="1.1.0")
        assert again.status_code == 409
    (draft,) = await _drafts(kim)
    assert '"version": "1.2.0"' in draft.spec
    assert "160GB" not in draft.spec


async def test_a_copy_is_ones_own(kim: Site, example: dict[str, Any]) -> None:
    await kim.post("park", "/apps", example, status=201)
    async with kim.client() as browser:
        await sign_in(browser)
        answer = await press(browser, f"/apps/{example['app_id']}/duplicate", version="1.0.0")
    (made,) = [app for app in await kim.world.rows(App) if app.id != example["app_id"]]
    assert (made.owner.username, made.name) == ("kim", example["name"])
    assert answer.headers["Location"] == f"/apps/{made.id}/builder?tab=app"
    (draft,) = await _drafts(kim)
    assert f'"app_id": "{made.id}"' in draft.spec


async def _drafts(site: Site) -> list[Draft]:
    async with site.world.maker() as session:
        return list(await session.scalars(select(Draft)))


async def test_the_owner_names_co_editors_and_a_wrong_name_comes_back(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", small, status=201)
    page = f"/apps/{small['app_id']}"
    async with kim.client() as browser:
        await sign_in(browser)
        assert (await press(browser, f"{page}/editors", username=" park ")).headers["Location"] == page
        assert f"{page}/editors/park/remove" in (await browser.get(page)).text
        wrong = await press(browser, f"{page}/editors", username="nobody")
        assert (
            wrong.status_code,
            "이 이름의 활성 사용자가 없습니다" in wrong.text,
            'value="nobody"' in wrong.text,
        ) == (
            422,
            True,
            True,
        )
        assert (await kim.get("kim", f"/apps/{small['app_id']}"))["coEditors"] == ["park"]
        assert (await press(browser, f"{page}/editors/park/remove")).headers["Location"] == page
        assert f"{page}/editors/park/remove" not in (await browser.get(page)).text
        assert (await press(browser, f"{page}/editors/park/remove")).status_code == 404


async def test_co_editors_by_the_api(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", small, status=201)
    path = f"/api/v1/apps/{small['app_id']}/editors"
    async with kim.client("park") as park, kim.client("kim") as owner:
        assert (await park.put(f"{path}/park")).status_code == 403
        assert (await owner.put(f"{path}/park")).json() == {"appId": small["app_id"], "coEditors": ["park"]}
        assert (await owner.put(f"{path}/nobody")).status_code == 422
        await kim.post("park", "/apps", {**small, "version": "2.0.0"}, status=201)
        assert (await park.delete(f"{path}/park")).status_code == 403
        assert (await owner.delete(f"{path}/park")).json()["coEditors"] == []
    await kim.post("park", "/apps", {**small, "version": "3.0.0"}, status=409)
