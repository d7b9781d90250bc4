"""P5 and P6 over HTTP: registering, the image's state, the list, one component, locks, versions; and the same by the API."""

from __future__ import annotations

import html
from typing import Any

import httpx2

from containers.errors import ImageNotFound
from tests.services.test_components import placing
from tests.web.conftest import Site
from tests.web.test_apps_pages import as_viewer
from tests.web.test_signin import kim, sign_in, token_in

__all__ = ["kim"]

HUB = "registry.avatar.io"
FIELDS = {
    "name": "env-simulator",
    "version": "1.0.0",
    "registry": f"{HUB}/env-sim",
    "tag": "1.0",
    "memory": "16GB",
    "gpu_type": "A100",
    "gpu_count": "1",
    "tags": "sim, rl",
    "description": "<b>simulates</b>",
    "rows": "4",
    "p2_name": "seed",
    "p2_type": "integer",
    "p2_default": "42",
}
BODY = {
    "name": "api-made",
    "version": "1.0.0",
    "image": {"registry": f"{HUB}/env-sim", "tag": "1.0"},
    "resources": {"memory": "8GB"},
    "params": [{"name": "lr", "type": "number", "default": 0.1, "min": 0, "max": 1}],
}


async def sent(browser: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
    token = token_in(await browser.get("/components"))
    return await browser.post(path, data={"form_token": token, **fields})


async def registered(browser: httpx2.AsyncClient, **changed: str) -> str:
    made = await sent(browser, "/new-component", **{**FIELDS, **changed})
    assert made.status_code == 303, made.text
    return str(made.headers["location"])


async def test_a_component_is_registered_found_and_looked_at(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        empty = (await browser.get("/components")).text
        assert "등록된 컴포넌트가 없습니다." in empty
        assert 'href="/new-component"' in empty
        address = await registered(browser)
        page = (await browser.get(address)).text
        for text in (
            "env-simulator",
            "확인 중",
            "&lt;b&gt;simulates",
            "A100 x 1, 16GB",
            "seed",
            ">42<",
            "/one/metrics.jsonl",
        ):
            assert text in page, text
        assert 'hx-get="/image-checks?registry=registry.avatar.io/env-sim&amp;tag=1.0"' in page
        await kim.world.round()
        page = (await browser.get(address)).text
        assert "확인됨" in page
        assert "hx-get=" not in page.split('id="image-state"')[1].split("</div>")[0]
        found = (await browser.get("/components", params={"q": "env", "tag": "sim", "gpu": "A100", "owner": "me"})).text
        assert ("1–1 / 전체 1건" in found, address in found) == (True, True)
        assert 'href="/components?q=env&amp;gpu=A100&amp;owner=me"' in found, (
            "the chip of the tag takes only the tag away"
        )
        assert "조건에 맞는 컴포넌트가 없습니다." in (await browser.get("/components", params={"q": "other"})).text
        uses = (await browser.get(address, params={"tab": "uses"})).text
        assert "이 컴포넌트를 쓰는 App이 없습니다." in uses


async def test_a_wrong_form_comes_back_with_everything_that_is_wrong(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        wrong = {"name": " ", "memory": "much", "gpu_count": "two", "p2_default": "x", "registry": f"{HUB}/a b"}
        answer = await sent(browser, "/new-component", **{**FIELDS, **wrong})
        assert answer.status_code == 422
        for field in ("name", "memory", "gpu_count", "p0_default", "registry"):
            assert f'id="e-{field}"' in answer.text, field
        assert 'value="much"' in answer.text
        assert 'id="f-p0_name" name="p0_name" value="seed"' in answer.text, "rows have no gaps"
        more = await sent(browser, "/new-component", **FIELDS, more="1")
        assert (more.status_code, 'name="p6_name"' in more.text) == (200, True)
        await registered(browser)
        again = await sent(browser, "/new-component", **FIELDS)
        assert (again.status_code, 'id="e-name"' in again.text) == (422, True)


async def test_the_image_is_looked_at_while_one_fills_in_the_form(kim: Site) -> None:
    missing = f"{HUB}/env-sim:9.9"
    kim.world.registry.trouble[missing] = ImageNotFound(missing, "no such tag")
    image = {"registry": f"{HUB}/env-sim", "tag": "9.9"}
    async with kim.client() as browser:
        await sign_in(browser)
        asked = await sent(browser, "/image-checks", **image)
        assert ("확인 중" in asked.text, "<html" in asked.text) == (True, False)
        await kim.world.round()
        answer = (await browser.get("/image-checks", params=image)).text
        assert f"이미지를 찾을 수 없습니다: {missing}. 주소와 태그를 확인하세요." in html.unescape(answer)
        refused = await sent(browser, "/new-component", **{**FIELDS, "tag": "9.9"})
        assert (refused.status_code, 'id="e-tag"' in refused.text) == (422, True)
        elsewhere = await sent(browser, "/image-checks", registry="elsewhere.example/x", tag="1")
        assert ("허용되지 않은 레지스트리" in elsewhere.text, f"허용된 레지스트리: {HUB}" in elsewhere.text) == (
            True,
            True,
        )
        assert "확인 안 됨" in (await sent(browser, "/image-checks", registry="half", tag="")).text
        without_scripts = await sent(browser, "/new-component", **FIELDS, check="1")
        assert (without_scripts.status_code, "확인 중" in without_scripts.text) == (200, True)
        token = {"x-form-token": token_in(await browser.get("/components"))}
        asked = await browser.post("/api/image-checks", json=image, headers=token)
        assert asked.json()["state"] == "checking"
        await kim.world.round()
        assert (await browser.get("/api/image-checks", params=image)).json()["state"] == "not_found"
        bad = await browser.post("/api/image-checks", json={"registry": "half", "tag": ""}, headers=token)
        assert (bad.status_code, bad.json()["code"]) == (422, "bad_image")


async def test_a_component_in_use_is_locked_and_gets_a_new_version(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        address = await registered(browser)
        component_id = address.rpartition("/")[2]
        edit = (await browser.get(f"{address}/edit")).text
        assert 'name="registry"' in edit
        revision = edit.split('name="revision" value="')[1].split('"')[0]
        changed = await sent(browser, f"{address}/edit", **{**FIELDS, "tag": "1.1", "revision": revision})
        assert changed.status_code == 303
        late = await sent(browser, f"{address}/edit", **{**FIELDS, "revision": revision})
        assert (late.status_code, "다시 불러온 뒤 고치세요" in late.text) == (409, True)
        await kim.post("kim", "/apps", placing(small, component_id), status=201)
        edit = (await browser.get(f"{address}/edit")).text
        assert ("사용 중이라 잠겼습니다. 새 버전을 만드세요." in edit, 'name="registry"' in edit) == (True, False)
        revision = edit.split('name="revision" value="')[1].split('"')[0]
        words = {"description": "other words", "tags": "sim", "revision": revision, "registry": "x", "tag": "y"}
        assert (await sent(browser, f"{address}/edit", **words)).status_code == 303
        form = (await browser.get(f"{address}/new-version")).text
        assert ('value="1.1.0"' in form, 'value="1.1"' in form) == (True, True)
        version = {**FIELDS, "version": "1.1.0", "memory": "32GB"}
        refused = await sent(browser, f"{address}/new-version", **version, note="")
        assert (refused.status_code, 'id="e-note"' in refused.text) == (422, True)
        made = await sent(browser, f"{address}/new-version", **version, note="더 큰 메모리")
        assert made.status_code == 303
        history = (await browser.get(address, params={"tab": "versions", "base": "1.0.0", "v": "1.1.0"})).text
        for text in ("더 큰 메모리", "1.0.0", "1.1.0", "resources.memory", "image.tag"):
            assert text in history, text
        uses = (await browser.get(address, params={"tab": "uses"})).text
        for text in (small["app_id"], ">1.0.0<", "새 버전 1.1.0", "준비 완료"):
            assert text in uses, text
        copied = (await browser.get("/new-component", params={"from": component_id, "v": "1.0.0"})).text
        assert ('value="env-simulator-copy"' in copied, 'value="16GB"' in copied) == (True, True)


async def test_a_component_is_sent_to_a_task_of_ones_own(kim: Site, small: dict[str, Any]) -> None:
    await kim.post("kim", "/apps", small, status=201)
    await kim.post("park", "/apps", {**small, "app_id": "APP-PARK"}, status=201)
    async with kim.client() as browser:
        await sign_in(browser)
        address = await registered(browser)
        page = (await browser.get(address)).text
        task = small["tasks"][0]["task_id"]
        assert (f'value="{small["app_id"]}/{task}"' in page, "APP-PARK" in page) == (True, False)
        sent_on = await browser.get(f"{address}/place", params={"target": f"{small['app_id']}/{task}"})
        component_id = address.rpartition("/")[2]
        wanted = f"/apps/{small['app_id']}/builder?tab=task&task={task}&place={component_id}"
        assert (sent_on.status_code, sent_on.headers["location"]) == (303, wanted)


async def test_deprecating_can_be_taken_back(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        address = await registered(browser)
        assert (await sent(browser, f"{address}/deprecate")).status_code == 303
        page = (await browser.get(address)).text
        assert ("사용 중단됨" in page, f'action="{address}/restore"' in page) == (True, True)
        assert address not in (await browser.get("/components")).text
        assert address in (await browser.get("/components", params={"deprecated": "only"})).text
        assert (await sent(browser, f"{address}/restore")).status_code == 303
        assert address in (await browser.get("/components")).text


async def test_a_viewer_reads_and_others_do_not_change(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        address = await registered(browser)
    theirs = (await kim.post("park", "/components", BODY, status=201))["id"]
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get(f"/components/{theirs}")).text
        assert ("/edit" in page, "/deprecate" in page, "from=" in page) == (False, False, True)
        for path in ("edit", "new-version"):
            assert (await browser.get(f"/components/{theirs}/{path}")).status_code == 403
        assert (await sent(browser, f"/components/{theirs}/deprecate")).status_code == 403
        assert (await browser.get("/components/CL-NONE")).status_code == 404
        assert (await browser.get(f"/components/{theirs}?v=9")).status_code == 404
    async with kim.client() as browser:
        await as_viewer(kim, browser)
        page = (await browser.get(address)).text
        assert ("env-simulator" in page, "/edit" in page, "from=" in page, "hx-post=" in page) == (
            True,
            False,
            False,
            False,
        )
        for path in ("/new-component", f"{address}/edit"):
            assert (await browser.get(path)).status_code == 403
        assert (await sent(browser, "/image-checks", registry=f"{HUB}/x", tag="1")).status_code == 403


async def test_the_api_does_the_same(site: Site, small: dict[str, Any]) -> None:
    wrong = await site.post("kim", "/components", {**BODY, "resources": {"memory": "x"}}, status=422)
    assert [(one["path"], one["code"]) for one in wrong["problems"]] == [("$.resources.memory", "bad_memory")]
    made = await site.post("kim", "/components", BODY, status=201)
    path = f"/components/{made['id']}"
    assert (made["versions"][0]["imageState"], made["locked"]) == ("checking", False)
    await site.world.round()
    shown = await site.get("viewer", path)
    assert shown["versions"][0]["imageState"] == "verified"
    assert shown["versions"][0]["image"]["digest"].startswith("sha256:")
    await site.post("kim", "/apps", placing(small, made["id"]), status=201)
    newer = {name: BODY[name] for name in ("image", "resources")} | {"version": "2.0.0", "note": "larger"}
    assert [one["version"] for one in (await site.post("kim", f"{path}/versions", newer, status=201))["versions"]] == [
        "2.0.0",
        "1.0.0",
    ]
    (use,) = (await site.get("viewer", f"{path}/uses"))["items"]
    assert (use["appId"], use["componentVersion"], use["newerVersion"]) == (small["app_id"], "1.0.0", True)
    async with site.client("kim") as client:
        body = {"revision": shown["revision"], "tags": ["x"]}
        changed = await client.patch(f"/api/v1{path}", json=body)
        assert (changed.status_code, changed.json()["tags"]) == (200, ["x"])
        assert (await client.patch(f"/api/v1{path}", json=body)).status_code == 409
    await site.post("park", f"{path}/deprecate", status=403)
    assert (await site.post("kim", f"{path}/deprecate"))["deprecatedAt"]
    assert (await site.get("viewer", "/components"))["items"] == []
    assert (await site.post("kim", f"{path}/restore"))["deprecatedAt"] is None
    (line,) = (await site.get("viewer", "/components", tag="x"))["items"]
    assert (line["newest"]["version"], line["usedIn"]) == ("2.0.0", {"apps": 1, "tasks": 1})
