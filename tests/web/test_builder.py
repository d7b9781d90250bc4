"""The Builder over HTTP: the page for who may edit and who may look, saves with a conflict, problems, plan, publishing."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import httpx2

from portal.db.engine import transaction
from portal.services import accounts, coeditors, passwords
from tests.web.conftest import Site
from tests.web.test_signin import PASSWORD, kim, sign_in

__all__ = ["kim"]

APP = "APP-SMALL1"
_DATA = re.compile(r'data-builder="([^"]*)"')


async def opened(browser: httpx2.AsyncClient) -> dict[str, Any]:
    """What the page gives its script."""
    answer = await browser.get(f"/apps/{APP}/builder")
    assert answer.status_code == 200, answer.text
    found = _DATA.search(answer.text)
    assert found is not None, answer.text
    data: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return data


async def test_a_draft_is_drawn_saved_checked_planned_and_published(kim: Site, small: dict[str, Any]) -> None:
    small["name"] = '</div><script>alert("1")</script>'
    await kim.post("kim", "/apps", small, status=201)
    async with kim.client(None, **{"Accept-Language": "en"}) as browser:
        await sign_in(browser, password=PASSWORD)
        data = await opened(browser)
        assert (data["may_edit"], data["revision"], data["spec"]["version"]) == (True, 0, "1.1.0")
        assert data["palette"] == []
        token = {data["csrf"]["header"]: data["csrf"]["token"]}
        body = {"revision": 0, "spec": data["spec"], "layout": {"TASK-001": {"CL-REF-001": {"x": 8, "y": 8}}}}
        refused = await browser.put(data["urls"]["draft"], json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "form_token_wrong")
        saved = await browser.put(data["urls"]["draft"], json=body, headers=token)
        assert (saved.status_code, saved.json()["revision"]) == (200, 1), saved.text
        assert [problem for problem in saved.json()["problems"] if problem["severity"] == "error"] == []
        conflict = await browser.put(data["urls"]["draft"], json=body, headers=token)
        assert (conflict.status_code, conflict.json()["code"]) == (409, "draft_changed")
        assert "kim saved this draft meanwhile" in conflict.json()["detail"]
        assert (await opened(browser))["layout"] == body["layout"]
        now = (await browser.get(data["urls"]["draft"])).json()
        assert (now["revision"], now["spec"]) == (1, data["spec"])
        broken = {**data["spec"], "tasks": []}
        found = (await browser.post(data["urls"]["validate"], json=broken, headers=token)).json()
        assert [problem["path"] for problem in found["problems"]] == ["$.tasks"]
        plan = await browser.post(data["urls"]["plan"], json={"spec": data["spec"]}, headers=token)
        assert plan.status_code == 200, plan.text
        assert plan.json()["words"]
        made = await browser.post(data["urls"]["publish"], json={"revision": 1}, headers=token)
        assert made.json() == {"version": "1.1.0"}
        assert (await opened(browser))["spec"]["version"] == "1.2.0"
    versions = (await kim.get("kim", f"/apps/{APP}"))["versions"]
    assert [version["version"] for version in versions] == ["1.1.0", "1.0.0"]


async def test_a_draft_can_be_discarded_and_apps_imported(
    kim: Site, small: dict[str, Any], example: dict[str, Any]
) -> None:
    await kim.post("kim", "/apps", small, status=201)
    other = {**small, "app_id": "APP-OTHER", "name": "other"}
    await kim.post("park", "/apps", other, status=201)
    async with kim.client() as browser:
        await sign_in(browser)
        data = await opened(browser)
        token = {data["csrf"]["header"]: data["csrf"]["token"]}
        body = {"revision": 0, "spec": {**data["spec"], "tasks": []}, "layout": {}}
        assert (await browser.put(data["urls"]["draft"], json=body, headers=token)).status_code == 200
        refused = await browser.post(data["urls"]["publish"], json={"revision": 1}, headers=token)
        assert (refused.status_code, refused.json()["code"]) == (422, "not_ready")
        gone = await browser.post(data["urls"]["discard"], json={"revision": 1}, headers=token)
        assert gone.status_code == 200
        assert (await opened(browser))["spec"]["tasks"] == small["tasks"]
        listed = (await browser.get(data["urls"]["importable"])).json()["apps"]
        assert listed == [{"app_id": "APP-OTHER", "name": "other", "versions": ["1.0.0"]}]
        assert (await browser.get(data["urls"]["importable"], params={"q": "none"})).json() == {"apps": []}
        taken = await browser.get(data["urls"]["importable"], params={"app": "APP-OTHER", "v": "1.0.0"})
        assert taken.json() == {"spec": other, "chain": []}
        absent = await browser.get(data["urls"]["importable"], params={"app": "APP-OTHER", "v": "9"})
        assert absent.status_code == 404
        newer = {**other, "tasks": [{**other["tasks"][0], "name": "renamed"}, *other["tasks"][1:]]}
        told = await browser.post(data["urls"]["difference"], json={"old": other, "new": newer}, headers=token)
        (group,) = told.json()["groups"]
        change = {"path": "name", "old": other["tasks"][0]["name"], "new": "renamed"}
        assert group == {"where": "TASK-001", "kind": "task", "change": "changed", "changes": [change]}


async def test_an_import_that_leads_back_is_refused_with_its_chain(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", small, status=201)
    back = {**small, "app_id": "APP-OTHER", "name": "other"}
    back["imported_apps"] = [{"app_ref": APP, "name": "small", "version": "1.0.0"}]
    await kim.post("park", "/apps", back, status=201)
    chain = [small["name"], "other", small["name"]]
    circular = {**small, "version": "1.1.0"}
    circular["imported_apps"] = [{"app_ref": "APP-OTHER", "name": "other", "version": "1.0.0"}]
    refused = await kim.post("kim", "/apps", circular, status=422)
    assert (refused["code"], refused["problems"][0]["path"]) == ("import_cycle", "$.imported_apps[0].app_ref")
    assert " → ".join(chain) in refused["detail"]
    checked = await kim.post("kim", "/validate", circular)
    assert (checked["valid"], [one["code"] for one in checked["problems"] if one["severity"] == "error"]) == (
        False,
        ["import_cycle"],
    )
    async with kim.client() as browser:
        await sign_in(browser)
        data = await opened(browser)
        found = await browser.get(data["urls"]["importable"], params={"app": "APP-OTHER", "v": "1.0.0"})
        assert found.json()["chain"] == chain
        page = await browser.post(
            "/upload-app", data={"form_token": data["csrf"]["token"], "text": json.dumps(circular)}
        )
        assert page.status_code == 422
        assert " → ".join(chain) in html.unescape(page.text)


async def test_others_look_and_the_signed_out_are_told(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("park", "/apps", small, status=201)
    async with kim.client() as browser:
        await sign_in(browser)
        data = await opened(browser)
        assert (data["may_edit"], data["palette"], data["spec"]) == (False, [], small)
        token = {data["csrf"]["header"]: data["csrf"]["token"]}
        body = {"revision": 0, "spec": small, "layout": {}}
        assert (await browser.put(data["urls"]["draft"], json=body, headers=token)).status_code == 403
        assert (await browser.get("/apps/APP-NONE/builder")).status_code == 404
    async with kim.client() as stranger:
        assert (await stranger.get(f"/apps/{APP}/builder")).status_code == 303
        answer = await stranger.get(data["urls"]["draft"])
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_owner_and_co_editor_at_once_the_second_is_told_who_was_first(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", small, status=201)
    async with transaction(kim.world.maker) as session:
        await coeditors.add(session, kim.world.actors["kim"], APP, "park")
        await passwords.put(await accounts.user_named(session, "park"), PASSWORD, temporary=False)
    async with kim.client() as one, kim.client() as other:
        await sign_in(one)
        await sign_in(other, "park")
        mine, theirs = await opened(one), await opened(other)
        assert (mine["may_edit"], theirs["may_edit"], mine["revision"]) == (True, True, theirs["revision"])
        body = {"revision": mine["revision"], "layout": {}}
        saved = await one.put(
            mine["urls"]["draft"], json={**body, "spec": {**small, "name": "kim's"}}, headers=form_token_of(mine)
        )
        assert saved.status_code == 200
        refused = await other.put(
            theirs["urls"]["draft"], json={**body, "spec": {**small, "name": "park's"}}, headers=form_token_of(theirs)
        )
        assert (refused.status_code, refused.json()["code"]) == (409, "draft_changed")
        assert "kim" in refused.json()["detail"]
        assert (await opened(other))["spec"]["name"] == "kim's", "nothing was overwritten"
        newer = {"revision": saved.json()["revision"], "layout": {}, "spec": {**small, "name": "both"}}
        assert (await other.put(theirs["urls"]["draft"], json=newer, headers=form_token_of(theirs))).status_code == 200
        assert (await opened(one))["spec"]["name"] == "both"


def form_token_of(data: dict[str, Any]) -> dict[str, str]:
    return {data["csrf"]["header"]: data["csrf"]["token"]}
