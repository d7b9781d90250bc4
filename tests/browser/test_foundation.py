"""What the walks stand on: people get in, the guard sees what goes wrong, and the world turns while a page is open."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.words import Words


@pytest.mark.parametrize("width", [WIDE, PHONE], scope="module")
def test_a_person_is_signed_in_with_the_language_and_width_of_the_test(person: PersonFactory, say: Words) -> None:
    kim = person("kim")
    expect(kim.page.get_by_role("heading", level=1)).to_have_text(say("홈|Home"))
    assert kim.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


@pytest.mark.parametrize("language", ["en"], scope="module")
def test_the_guard_sees_a_script_error_a_blocked_script_and_a_missing_file(person: PersonFactory) -> None:
    kim = person("kim")
    kim.page.evaluate("setTimeout(() => { throw new Error('on purpose') })")
    kim.page.evaluate("""() => {
        const made = document.createElement("script"); made.textContent = "window.was = 1"; document.body.append(made);
        const image = new Image(); image.src = "/static/none.png"; document.body.append(image);
    }""")
    kim.page.wait_for_timeout(500)
    found = " | ".join(kim.watch.troubles)
    assert "on purpose" in found
    assert "Content Security Policy" in found
    assert "404 of GET" in found
    assert kim.page.evaluate("window.was") is None
    kim.watch.troubles.clear()


@pytest.mark.parametrize("language", ["en"], scope="module")
def test_the_world_turns_under_an_open_page(person: PersonFactory, portal: Hosted) -> None:
    before = portal.world.cluster.now
    person("viewer")
    portal.round(2, seconds=7)
    assert portal.world.cluster.now == pytest.approx(before + 14)
