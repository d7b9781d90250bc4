"""Every page that a link leads to, in two looks (`make screens`: in all eight, with a picture of each): axe-core finds nothing
serious, no script fails, nothing scrolls sideways, and nobody but the portal is asked for anything.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import parse_qs, urlsplit

import pytest
from litestar.routes import HTTPRoute
from playwright.sync_api import Request

from portal.web.app import create_app
from tests.browser import scene, site
from tests.browser.conftest import PHONE, PICTURES, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.keyboard import Keyboard
from tests.browser.person import Person
from tests.browser.words import Language

SCREENS = PICTURES / "screens"
ALL = bool(os.environ.get("ONE_ALL_LOOKS"))
LOOKS = [("ko", WIDE, False, "kim"), ("en", PHONE, True, "admin")]
EVERY_LOOK = [
    (language, width, dark, name)
    for language, width, dark, name in product(("ko", "en"), (WIDE, PHONE), (False, True), ("kim", "admin"))
]
TIMES = {"/workloads/{workload_id}": 4}
"""How many pages of one kind are looked at; one of all others."""
FEWEST = 40
"""Fewer pages than this would mean that links are not found any more."""
BAD = {"serious", "critical"}


@pytest.fixture(scope="module")
def build() -> site.Build:
    """A laboratory at work."""
    return scene.build


@dataclass
class Crawl:
    """Pages in the order in which links lead to them."""

    person: Person
    templates: list[tuple[str, re.Pattern[str]]]
    to_visit: list[str] = field(default_factory=lambda: ["/"])
    kinds: Counter[str] = field(default_factory=Counter)
    known: set[str] = field(default_factory=set)

    def pages(self) -> Iterator[tuple[str, str]]:
        """Kind and path of each, which is open while the caller looks at it."""
        while self.to_visit:
            path = self.to_visit.pop(0)
            kind = self._kind(path)
            if path in self.known or kind is None or self.kinds[kind] >= TIMES.get(kind.partition("?")[0], 1):
                continue
            self.known.add(path)
            if not self._is_page(path):
                continue
            self.kinds[kind] += 1
            self.person.open(path)
            self.person.page.wait_for_load_state("load")
            yield kind, path
            self.to_visit += self._links()

    def _is_page(self, path: str) -> bool:
        answer = self.person.page.request.get(path, max_redirects=0)
        return answer.ok and answer.headers["content-type"].startswith("text/html")

    def _links(self) -> list[str]:
        found: list[str] = self.person.page.eval_on_selector_all(
            "a[href]:not([download])",
            "all => all.filter(a => a.origin === location.origin).map(a => a.pathname + a.search)",
        )
        return found

    def _kind(self, path: str) -> str | None:
        """The route, and the tab where a page has some; None for what is no page of the portal."""
        parts = urlsplit(path)
        for template, pattern in self.templates:
            if pattern.fullmatch(parts.path):
                tab = parse_qs(parts.query).get("tab", [""])[0]
                return f"{template}?tab={tab}" if tab else template
        return None


def _templates(portal: Hosted) -> list[tuple[str, re.Pattern[str]]]:
    """Routes that answer GET, those without a variable first."""
    app = create_app(portal.settings, store=portal.world.store)  # type: ignore[arg-type]
    paths = [route.path_format for route in app.routes if isinstance(route, HTTPRoute) and "GET" in route.methods]
    ordered = sorted(paths, key=lambda path: path.count("{"))
    return [(path, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))) for path in ordered]


def _name(kind: str, number: int) -> str:
    return re.sub(r"\W+", "-", kind).strip("-") + (f"-{number}" if number > 1 else "") or "home"


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("language", "width", "dark", "name"), EVERY_LOOK if ALL else LOOKS, scope="module")
def test_every_page(
    person: PersonFactory, portal: Hosted, language: Language, width: int, dark: bool, name: str
) -> None:
    someone = person(name, dark=dark)
    keyboard, wide, asked = Keyboard(someone), list[str](), set[str]()

    def note(request: Request) -> None:
        asked.add(urlsplit(request.url).netloc)

    someone.page.context.on("request", note)
    crawl = Crawl(someone, _templates(portal))
    folder = SCREENS / f"{language}-{width}-{'dark' if dark else 'light'}-{name}"
    for kind, path in crawl.pages():
        keyboard.examine()
        too_wide = someone.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if too_wide > 0:
            wide.append(f"{path}: {too_wide} px")
        if ALL:
            someone.picture(folder / f"{_name(kind, crawl.kinds[kind])}.png")
    bad = "\n".join(found for found in keyboard.found if any(f"({impact})" in found for impact in BAD))
    assert not bad, bad
    assert wide == []
    assert asked - {urlsplit(portal.url).netloc, ""} == set()
    assert len(crawl.known) >= FEWEST, sorted(crawl.known)
