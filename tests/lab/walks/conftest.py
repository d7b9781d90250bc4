"""People in Chromium at the real portal: they come in through the lab's Keycloak; real time passes, nobody turns a clock."""

from __future__ import annotations

import functools
import re

import pytest
from playwright.sync_api import Browser

from lab.hosts import portal_url, secret
from tests.browser.conftest import (
    WIDE,
    Door,
    browser,
    language,
    person,
    pytest_runtest_makereport,
    say,
)
from tests.browser.person import Person, arrive
from tests.browser.words import Words

__all__ = ["browser", "language", "person", "pytest_runtest_makereport", "say"]
KEYCLOAK_MS = 60_000
"""Keycloak compiles its theme for the first who come."""


@pytest.fixture(scope="module")
def width() -> int:
    """A wide screen, unless a test says otherwise."""
    return WIDE


@pytest.fixture
def door(browser: Browser, say: Words) -> Door:
    """Through the single sign-on (test_sso.py shows that certificates are checked; Chromium has no list of the lab's)."""
    return functools.partial(_come_in, browser, say=say)


def _come_in(browser: Browser, name: str, *, say: Words, width: int, dark: bool = False, local: bool = False) -> Person:
    """`local`: somebody with an account of the portal's own, who is left at its form."""
    made = arrive(browser, portal_url(), name, say, width, dark=dark, own_certificates=True)
    if local:
        return made
    page = made.page
    page.locator("a[href*='/sso/oidc/start']").click()
    page.locator("#username").fill(name, timeout=KEYCLOAK_MS)
    page.locator("#password").fill(secret("keycloak_people"))
    page.locator("#kc-login").click()
    page.wait_for_url(re.compile(re.escape(portal_url())), timeout=KEYCLOAK_MS)
    return made
