"""Somebody at a browser: a page in a context of its own, signed in, in the test's language and width."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.scene import PASSWORD
from tests.browser.watch import Watch
from tests.browser.words import Words

HEIGHTS = {1440: 900, 360: 740}
BOTH_BUTTONS = "로그인|Sign in"


@dataclass(frozen=True)
class Person:
    """`kim.page` is Playwright's page; the rest spares the commonest words of a walk."""

    name: str
    page: Page
    say: Words
    watch: Watch

    @property
    def is_phone(self) -> bool:
        """Whether the page is as narrow as a phone."""
        size = self.page.viewport_size
        return size is not None and size["width"] < 576

    def open(self, path: str) -> None:
        """Go to a path of the site."""
        self.page.goto(path)

    def button(self, both: str, within: Locator | None = None) -> Locator:
        """The button with exactly this label."""
        return (within or self.page).get_by_role("button", name=self.say(both), exact=True)

    def link(self, both: str, within: Locator | None = None) -> Locator:
        """The link with exactly this label."""
        return (within or self.page).get_by_role("link", name=self.say(both), exact=True)

    def field(self, both: str, within: Locator | None = None) -> Locator:
        """The field with exactly this label."""
        return (within or self.page).get_by_label(self.say(both), exact=True)

    def sees(self, both: str, within: Locator | None = None, **values: object) -> None:
        """This text is visible now or within the usual patience."""
        expect((within or self.page).get_by_text(self.say(both, **values)).first).to_be_visible()

    def picture(self, path: Path) -> None:
        """Save what the page shows, whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)


def arrive(
    browser: Browser, url: str, name: str, say: Words, width: int, *, dark: bool = False, own_certificates: bool = False
) -> Person:
    """A new browser at the sign-in page; with `own_certificates` no authority is asked about those of the hosts."""
    context = browser.new_context(
        base_url=url,
        locale="ko-KR" if say.language == "ko" else "en-GB",
        timezone_id="Asia/Seoul",
        viewport={"width": width, "height": HEIGHTS.get(width, 900)},
        has_touch=width < 576,
        color_scheme="dark" if dark else "light",
        accept_downloads=True,
        ignore_https_errors=own_certificates,
    )
    context.add_cookies([{"name": "one_language", "value": say.language, "url": url}])
    watch = Watch().over(context)
    person = Person(name, context.new_page(), say, watch)
    person.open("/login")
    return person


def sign_in(
    browser: Browser, url: str, name: str, say: Words, width: int, *, dark: bool = False, password: str = PASSWORD
) -> Person:
    """A new browser in which `name` has signed in through the form; without a password it shows the form."""
    person = arrive(browser, url, name, say, width, dark=dark)
    if password:
        fill_in(person, password)
        person.page.wait_for_url(f"{url}/")
    return person


def fill_in(person: Person, password: str) -> None:
    """Send the form of the sign-in."""
    person.field("사용자 이름|User name").fill(person.name)
    person.field("비밀번호|Password").fill(password)
    person.button(BOTH_BUTTONS).click()
