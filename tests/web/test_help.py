"""P27 and P26: help in both languages for everybody, and errors that name the next step."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from portal.cli.main import app as one
from portal.services.errors import TooMany, Unavailable
from portal.web.pages.help import TOPICS
from portal.web.rendering import TEMPLATES
from tests.web.conftest import Site
from tests.web.test_admin_users import house
from tests.web.test_signin import sign_in

__all__ = ["house"]
_TAG = re.compile(r"<(li|dt|dd|p|pre|h2)\b")
FOLDERS = {language: TEMPLATES / "help" / language for language in ("ko", "en")}


def test_both_languages_have_every_topic_and_as_much_in_each() -> None:
    for language, folder in FOLDERS.items():
        assert {path.stem for path in folder.glob("*.html")} == {key for key, _ in TOPICS}, language
    for key, _ in TOPICS:
        shapes = [_TAG.findall((folder / f"{key}.html").read_text()) for folder in FOLDERS.values()]
        assert all(one == other for one, other in pairwise(shapes)), key


def test_the_commands_of_the_help_exist() -> None:
    text = (FOLDERS["en"] / "cli.html").read_text()
    lines = [line.split() for line in re.findall(r"^(?:<pre[^>]*>)?one ([a-z ]+)", text, re.MULTILINE)]
    assert len(lines) > 5
    for words in lines:
        known = words[:2] if words[0] == "models" else words[:1]
        assert CliRunner().invoke(one, [*known, "--help"]).exit_code == 0, known


@pytest.mark.parametrize("topic", [key for key, _ in TOPICS])
async def test_every_topic_is_shown_before_and_after_the_sign_in(house: Site, topic: str) -> None:
    async with house.client() as browser:
        before = await browser.get(f"/help/{topic}")
        assert (before.status_code, 'class="sidebar"' in before.text) == (200, False)
        await sign_in(browser, "viewer")
        after = await browser.get(f"/help/{topic}")
        assert (after.status_code, 'class="sidebar"' in after.text) == (200, True)


async def test_help_goes_on_when_the_session_is_over(house: Site) -> None:
    async with house.client() as browser:
        assert (await browser.get("/help", headers={"Cookie": "one_session=long-gone"})).status_code == 200
        assert (await browser.get("/help/nothing")).status_code == 404


async def test_errors_name_the_next_step(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "kim")
        forbidden = (await browser.get("/admin/users")).text
        assert "<h1" in forbidden
        assert re.search(r"<h1[^>]*>권한이 없습니다. 이 작업에는 관리자 역할이 필요합니다.</h1>", forbidden)
        assert 'href="/help/contact"' in forbidden
        missing = (await browser.get("/apps/APP-NONE")).text
        assert 'href="/search"' in missing
        assert "요청 ID" in missing


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (TooMany("x", "Too many requests.", "요청이 너무 많습니다.", retry_after_s=42), 42),
        (Unavailable("s3", "Storage is unreachable.", "저장소에 연결할 수 없습니다."), 15),
    ],
)
async def test_what_passes_by_itself_is_tried_again(
    house: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, seconds: int
) -> None:
    async def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr("portal.web.pages.search.search", fail)
    async with house.client() as browser:
        await sign_in(browser, "kim")
        answer = await browser.get("/search?q=x")
    assert answer.headers["retry-after"] == str(seconds)
    assert f'http-equiv="refresh" content="{seconds}"' in answer.text
    assert f"{seconds}초 후 자동으로 다시 시도합니다." in answer.text
