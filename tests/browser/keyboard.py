"""Somebody without a mouse: keys only, and what a screen reader would say."""

from __future__ import annotations

from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.person import Person

MOST_TABS = 120
ZOOM = 2


@dataclass
class Keyboard:
    """Keys of `person`, and what axe-core found on the pages it was asked about."""

    person: Person
    found: list[str] = field(default_factory=list)

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.person.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Type over what is selected."""
        self.press("Control+a")
        self.person.page.keyboard.type(text)

    def tab_to(self, target: Locator, key: str = "Tab") -> Locator:
        """Press Tab until the target has the focus."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("it => document.activeElement === it"):
                return target
            self.press(key)
        raise AssertionError(f"{target} was not reached with {MOST_TABS} times {key}")

    def use(self, target: Locator) -> None:
        """Tab to it and press Enter."""
        self.tab_to(target)
        self.press("Enter")

    def examine(self) -> None:
        """Ask axe-core about the page as it is now; `found` keeps what it says."""
        page = self.person.page
        for one in Axe().run(page).response["violations"]:
            for node in one["nodes"]:
                self.found.append(f"{page.url}: {one['id']} ({one['impact']}): {node['target']} {node['html'][:160]}")

    def zooms(self) -> None:
        """At 200 % nothing is lost sideways."""
        page, size = self.person.page, self.person.page.viewport_size
        assert size is not None
        page.set_viewport_size({"width": size["width"] // ZOOM, "height": size["height"] // ZOOM})
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        page.set_viewport_size(size)
        assert wide <= 0, f"{page.url} is {wide} px too wide at 200 %"
