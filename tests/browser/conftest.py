"""Fixtures of the walks: Chromium, a portal of its own for every module, people signed in, and a guard over what they see.

`language` and `width` may be parametrised by a test; the portal begins anew with each of their values.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import seed, site
from tests.browser.hosted import Hosted, hosted
from tests.browser.person import Person, sign_in
from tests.browser.words import Language, Words

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / ".cache" / "browser-pictures"
PATIENCE_MS = 15_000
"""How long anything may take to be seen; a browser is slow on a busy machine of two cores."""
WIDE, PHONE = 1440, 360
ARGUMENTS = ["--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
Door = Callable[..., Person]
PersonFactory = Callable[..., Person]
_REPORTS = pytest.StashKey[dict[str, pytest.TestReport]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures` keeps what everybody sees at the end of every test, not only of those that fail."""
    parser.addoption("--pictures", action="store_true", help=f"save a picture at the end of every test in {PICTURES}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Let fixtures know how their test went."""
    report: pytest.TestReport = yield
    item.stash.setdefault(_REPORTS, {})[report.when] = report
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; a machine without it fails these tests. While it is open, no other event loop runs here."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("Chromium is missing: install Debian's package chromium (make prerequisites does it)")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module", params=["ko", "en"])
def language(request: pytest.FixtureRequest) -> Language:
    """Every walk is taken in both languages."""
    found: Language = request.param
    return found


@pytest.fixture(scope="module")
def width() -> int:
    """A wide screen, unless a test says otherwise."""
    return WIDE


@pytest.fixture(scope="module")
def say(language: Language) -> Words:
    """Words as the pages' plan writes them, "한국어|English", in the test's language."""
    return Words(language)


@pytest.fixture(scope="module")
def build() -> site.Build:
    """What the module's portal begins with: `tests.browser.seed` or, where a module says so, `tests.browser.scene`."""
    return seed.build


@pytest.fixture(scope="module")
def portal(
    tmp_path_factory: pytest.TempPathFactory, build: site.Build, language: Language, width: int
) -> Iterator[Hosted]:
    """A portal for this module, language and width."""
    with hosted(tmp_path_factory.mktemp("portal"), build) as running:
        yield running


@pytest.fixture
def door(browser: Browser, portal: Hosted, say: Words) -> Door:
    """How people come in: by the portal's own form."""
    return functools.partial(sign_in, browser, portal.url, say=say)


@pytest.fixture
def person(door: Door, width: int, request: pytest.FixtureRequest) -> Iterator[PersonFactory]:
    """`person("kim")` is kim at a browser of their own; what they saw is judged and, after a failure, pictured."""
    met: list[Person] = []

    def arrive(name: str, **wishes: Any) -> Person:
        made = door(name, width=wishes.pop("width", width), **wishes)
        made.page.context.set_default_timeout(PATIENCE_MS)
        met.append(made)
        return made

    yield arrive
    kept = _pictures(request, met)
    for one in met:
        one.page.context.close()
    troubles = [f"{one.name}: {trouble}" for one in met for trouble in one.watch.troubles]
    if troubles:
        pytest.fail("\n".join([*troubles, *kept]), pytrace=False)


def _pictures(request: pytest.FixtureRequest, met: list[Person]) -> list[str]:
    reports = request.node.stash.get(_REPORTS, {})
    went_well = "call" in reports and reports["call"].passed and not any(one.watch.troubles for one in met)
    if went_well and not request.config.getoption("pictures", default=False):
        return []
    name = re.sub(r"[^\w.-]+", "-", request.node.nodeid.split("/")[-1]).strip("-")
    saved = []
    for number, one in enumerate(met, 1):
        path = PICTURES / f"{name}-{number}-{one.name}.png"
        one.picture(path)
        saved.append(f"picture of {one.page.url}: {path}")
    if "call" in reports and saved:
        reports["call"].sections.append(("pictures", "\n".join(saved)))
    return saved
