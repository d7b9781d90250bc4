"""Somebody at Chromium signs in through the real Keycloak by OpenID Connect and by SAML, has the right role, and signs out.

The portal's address at Keycloak is http://localhost:8000; this Chromium is told where that really is.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from portal.settings import Settings
from tests.browser import seed
from tests.browser.conftest import ARGUMENTS, PATIENCE_MS, PICTURES
from tests.browser.hosted import Hosted, hosted
from tests.browser.watch import Watch
from tests.keycloak.conftest import with_sso
from tests.keycloak.realm import PASSWORD, PORTAL

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
DOORS = {"oidc": "Sign in with Keycloak", "saml": "Sign in with Keycloak (SAML)"}
STARTING_MS = 120_000
"""How long Keycloak may take for its first page: it compiles its themes then."""


@pytest.fixture(scope="module")
def site(keycloak: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A portal that signs in by this Keycloak."""

    def adjust(settings: Settings) -> Settings:
        web = settings.web.model_copy(update={"public_url": PORTAL})
        return with_sso(settings.model_copy(update={"web": web}), keycloak)

    with hosted(tmp_path_factory.mktemp("portal"), seed.build, adjust) as running:
        yield running


@pytest.fixture(scope="module")
def chromium(site: Hosted) -> Iterator[Browser]:
    """Debian's; a machine without it fails these tests."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is missing: install Debian's package chromium (make prerequisites does it)")
    expect.set_options(timeout=PATIENCE_MS)
    there = f"--host-resolver-rules=MAP localhost:8000 127.0.0.1:{site.settings.web.port}"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, there])
        yield started
        started.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A browser of one's own that saw no error of the portal's when the test ends."""
    context = chromium.new_context(base_url=PORTAL, locale="en-GB", viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": "one_language", "value": "en", "url": PORTAL}])
    watch = Watch().over(context)
    made = context.new_page()
    yield made
    PICTURES.mkdir(parents=True, exist_ok=True)
    made.screenshot(path=Path(PICTURES, f"sso-{re.sub(r'[^a-z0-9]+', '-', request.node.name)}.png"))
    context.close()
    assert [trouble for trouble in watch.troubles if PORTAL in trouble] == []


def sign_in(page: Page, kind: str, name: str, path: str = "/account") -> None:
    """From the page that one wanted through the portal's button and Keycloak's form to that page."""
    page.goto(path)
    page.get_by_role("link", name=DOORS[kind], exact=True).click()
    page.wait_for_url(re.compile(r"/realms/one/"), timeout=STARTING_MS)
    page.locator("#username").fill(name, timeout=STARTING_MS)
    page.locator("#password").fill(PASSWORD)
    page.locator("#kc-login").click()
    page.wait_for_url(f"{PORTAL}{path}", timeout=STARTING_MS)


def sign_out(page: Page) -> None:
    """By the menu of the person."""
    page.locator("details[data-menu]", has=page.locator("form[action='/logout']")).locator("summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url(re.compile(rf"{re.escape(PORTAL)}/login"), timeout=STARTING_MS)


@pytest.mark.parametrize("kind", ["oidc", "saml"])
def test_a_researcher_comes_in_works_and_leaves(page: Page, kind: str) -> None:
    sign_in(page, kind, "twin")
    expect(page.get_by_role("main")).to_contain_text("twin")
    expect(page.get_by_role("main")).to_contain_text("Researcher")
    page.goto("/new-app")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.goto("/admin/users").status == 403  # type: ignore[union-attr]
    sign_out(page)
    page.goto("/account")
    assert page.url.startswith(f"{PORTAL}/login"), "the session is over"


@pytest.mark.parametrize("kind", ["oidc", "saml"])
def test_an_administrator_of_the_provider_is_one_here(page: Page, kind: str) -> None:
    sign_in(page, kind, "lead", "/admin/users")
    expect(page.get_by_role("main")).to_contain_text("lead")


def test_who_has_no_group_waits_for_a_role(page: Page) -> None:
    sign_in(page, "oidc", "guest", "/")
    expect(page.get_by_role("main")).to_contain_text("hpc@lab.example")
    assert page.goto("/trainer").status == 403  # type: ignore[union-attr]


def test_a_sign_out_by_openid_connect_ends_keycloaks_session_too(page: Page) -> None:
    sign_in(page, "oidc", "twin")
    sign_out(page)
    page.get_by_role("link", name=DOORS["oidc"], exact=True).click()
    expect(page.locator("#kc-login")).to_be_visible(timeout=STARTING_MS)


def test_a_wrong_password_stays_at_keycloak(page: Page) -> None:
    page.goto("/login")
    page.get_by_role("link", name=DOORS["oidc"], exact=True).click()
    page.locator("#username").fill("twin", timeout=STARTING_MS)
    page.locator("#password").fill("wrong")
    page.locator("#kc-login").click()
    expect(page.get_by_text("Invalid username or password.")).to_be_visible(timeout=STARTING_MS)
    page.goto("/account")
    assert page.url.startswith(f"{PORTAL}/login")
