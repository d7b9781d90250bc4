"""The Trainer while one types faster than the server answers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.browser import apps
from tests.browser.conftest import PersonFactory
from tests.browser.hosted import Hosted


@pytest.mark.parametrize("language", ["en"], scope="module")
def test_what_is_typed_while_an_answer_is_on_its_way_stays(person: PersonFactory, portal: Hosted) -> None:
    portal.do(apps.publish(portal.world, "kim", apps.design()))
    kim = person("kim")
    kim.open(f"/trainer?app={apps.DESIGN}")
    held: list[Route] = []
    kim.page.route("**/trainer/preview", lambda route: held.append(route) if not held else route.continue_())
    with kim.page.expect_request("**/trainer/preview"):
        kim.field("GPUs of rl-agent").fill("3")
    kim.field("GPUs of env-simulator").fill("2")
    kim.field("Note").fill("typed meanwhile")
    kim.field("Workload name").focus()
    with kim.page.expect_response("**/trainer/preview"):
        held[0].continue_()
    expect(kim.page.locator("#f-top-gpus")).to_have_value("3")
    expect(kim.field("GPUs of env-simulator")).to_have_value("2")
    expect(kim.field("Note")).to_have_value("typed meanwhile")
    changed = kim.page.locator("#outlook .differences")
    expect(changed).to_contain_text("env-simulator")
    expect(changed).to_contain_text("rl-agent")
