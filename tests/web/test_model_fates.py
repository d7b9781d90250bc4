"""The files of a model deleted for good, and a model saved again: at the page, the API and the daemon, and what is left."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from portal.daemon import modelfates
from portal.daemon.main import once
from portal.daemon.reconciling import look
from portal.db.engine import transaction
from portal.db.models import Audit, Model
from portal.domain.findings import Finding
from portal.services.doctor import Wishes
from portal.services.modelfates import SAVE
from tests.daemon.test_road import RISING
from tests.web.conftest import Site
from tests.web.test_models_pages import APP, V1, V2, as_park, change, kim, trained, two
from tests.web.test_signin import sign_in, token_in

__all__ = ["kim", "two"]
NAME = "RL-DesignOpt-v1-final"
Two = tuple[Site, str, str]


async def served(site: Site) -> None:
    await once("modelfates", site.world.context, modelfates.serve)


async def disagreements(site: Site) -> tuple[Finding, ...]:
    return tuple((await look(site.world.context, Wishes(reconcile=True, contents=True))).findings)


async def keys(site: Site, version: int) -> set[str]:
    prefix = (await of_version(site, version)).prefix
    stored = {key for bucket, key in site.world.store.objects if bucket == "models"}
    return {key.removeprefix(prefix) for key in stored if key.startswith(prefix)}


async def of_version(site: Site, version: int) -> Model:
    found: Model
    (found,) = [model for model in await site.world.models() if model.version == version]
    return found


async def test_files_are_deleted_and_what_is_known_of_them_stays(two: Two) -> None:
    site, _, workload_id = two
    async with site.client() as browser:
        await sign_in(browser)
        question = await browser.get(f"{V2}/purge")
        assert "되돌릴 수 없습니다" in question.text
        wrong = await change(browser, f"{V2}/purge", name="other")
        assert (wrong.status_code, NAME in wrong.text, 'value="other"' in wrong.text) == (422, True, True)
        assert (await change(browser, f"{V2}/purge", name=NAME)).status_code == 303
        assert "파일 삭제 중" in (await browser.get(V2)).text
        assert (await browser.get(f"{V2}/files/policy.safetensors")).status_code == 409, "nobody takes half of it"
        assert await disagreements(site) == ()
        await served(site)
        assert await keys(site, 2) == {"manifest.json"}
        assert "files/policy.safetensors" in await keys(site, 1)
        page = (await browser.get(V2)).text
        assert ("파일 삭제됨" in page, workload_id in page, f'href="{V2}/purge"' in page) == (True, True, False)
        assert (await browser.get(f"{V2}/files/policy.safetensors")).status_code == 409
        assert "1–1 / 전체 1건" in (await browser.get("/models", params={"status": "purged"})).text
        assert (await change(browser, f"{V2}/purge", name=NAME)).status_code == 409, "it is gone already"
    assert await disagreements(site) == ()
    rows = [row for row in await site.world.rows(Audit) if row.action.startswith("model.purge")]
    assert [(row.action, (row.after or {}).get("files"), (row.after or {}).get("objects")) for row in rows] == [
        ("model.purge", 3, None),
        ("model.purged", None, 3),
    ]


async def test_a_file_that_comes_back_after_it_was_deleted_is_told(two: Two) -> None:
    site, _, _ = two
    await site.post("kim", f"/models/{APP}/1/purge", {"name": NAME}, 202)
    await served(site)
    site.world.store.objects["models", (await of_version(site, 1)).prefix + "files/stray"] = b"x"
    assert [(found.code, found.id) for found in await disagreements(site)] == [
        ("object_without_row", (await of_version(site, 1)).prefix + "files/stray")
    ]


async def test_only_its_owner_and_admins_delete_and_no_alias_may_point_there(two: Two) -> None:
    site, _, _ = two
    async with site.client() as browser:
        await as_park(site, browser)
        assert (await browser.get(f"{V1}/purge")).status_code == 403
        assert (await change(browser, f"{V1}/purge", name=NAME)).status_code == 403
        assert (await change(browser, f"{V1}/save-again")).status_code == 403
    await site.post("kim", f"/models/{APP}/1/aliases", {"alias": "champion"})
    refused = await site.post("kim", f"/models/{APP}/1/purge", {"name": NAME}, 409)
    assert (refused["code"], "champion" in refused["detail"]) == ("alias_points_here", True)
    async with site.client() as browser:
        await sign_in(browser)
        taken = await change(browser, f"{V1}/alias", alias="champion", take="1", reason="to be deleted")
        page = await browser.get(taken.headers["location"])
        undo = re.search(r'action="([^"]*alias-undo[^"]*)"', page.text)
        assert undo is not None
        await site.post("admin", f"/models/{APP}/1/purge", {"name": NAME}, 202)
        back = await browser.post(html.unescape(undo[1]), data={"form_token": token_in(page)})
        assert back.status_code == 409, "an undo leads to no deleted files either"
    await site.post("kim", f"/models/{APP}/1/aliases", {"alias": "candidate"}, 409)
    await site.post("kim", f"/models/{APP}/2/aliases", {"alias": "candidate"})


async def test_the_store_away_means_that_it_is_deleted_later(two: Two) -> None:
    site, _, _ = two
    await site.post("kim", f"/models/{APP}/1/purge", {"name": NAME}, 202)
    again = await site.post("kim", f"/models/{APP}/1/purge", {"name": NAME}, 202)
    assert again["asked"] == "purge"
    site.world.store.down = True
    await served(site)
    assert ((await of_version(site, 1)).state, (await of_version(site, 1)).asked) == ("stored", "purge")
    site.world.store.down = False
    await served(site)
    assert ((await of_version(site, 1)).state, (await of_version(site, 1)).asked) == ("purged", "")


async def failed(site: Site, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose only model file changed while it was copied; that file."""
    put = site.world.store.put_file
    folders: list[Path] = []

    async def put_file(bucket: str, key: str, file: Any, size: int, content_type: str = "") -> None:
        if bucket == "models" and not folders:
            (path,) = Path(site.world.context.settings.storage.runs).rglob("model/policy.safetensors")
            path.write_bytes(b"longer than it was")
            folders.append(path)
        await put(bucket, key, file, size, content_type)

    monkeypatch.setattr(site.world.store, "put_file", put_file)
    await trained(site, spec, RISING)
    assert (await of_version(site, 1)).state == "save_failed"
    return folders[0]


async def test_what_could_not_be_saved_is_saved_again(
    kim: Site, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await failed(kim, small, monkeypatch)
    async with kim.client() as browser:
        await sign_in(browser)
        assert "다시 저장" in (await browser.get(V1)).text
        assert (await change(browser, f"{V1}/save-again")).status_code == 303
        assert "다시 저장하고 있습니다" in (await browser.get(V1)).text
        await served(kim)
        assert (await browser.get(f"{V1}/files/policy.safetensors")).content == b"longer than it was"
        assert (await change(browser, f"{V1}/save-again")).status_code == 409
    model = await of_version(kim, 1)
    assert (model.state, model.asked, model.error) == ("stored", "", "")
    assert await disagreements(kim) == ()


async def test_nothing_left_to_save_says_so(kim: Site, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (await failed(kim, small, monkeypatch)).unlink()
    await kim.post("kim", f"/models/{APP}/1/save-again", status=202)
    await served(kim)
    model = await of_version(kim, 1)
    assert (model.state, model.asked) == ("save_failed", "")
    assert "no files of a model any more" in model.error


async def test_a_daemon_that_died_between_saving_and_saying_so_says_so_later(two: Two) -> None:
    site, _, _ = two
    async with transaction(site.world.maker) as session:
        (await session.get_one(Model, (await of_version(site, 1)).id)).asked = SAVE
    await served(site)
    assert ((await of_version(site, 1)).state, (await of_version(site, 1)).asked) == ("stored", "")
