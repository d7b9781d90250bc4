"""P9, the bell and P25's tab over HTTP: in both languages, live, and nobody's but one's own."""

from __future__ import annotations

import re
from typing import Any

import httpx2
from sqlalchemy import update

from portal.db.engine import transaction
from portal.db.models import Notice, NoticeDelivery, User, Webhook
from portal.domain.notices import Kind
from portal.services import accounts, telling
from portal.services.accounts import Role
from portal.web.formats import formats
from portal.web.live import Reader
from tests.daemon.world import ADMIN_TOOL
from tests.web.conftest import Site
from tests.web.test_account_pages import posted
from tests.web.test_apps_pages import as_viewer
from tests.web.test_signin import kim, sign_in

__all__ = ["kim"]
TAB = "/account?tab=notifications"


async def tell(site: Site, name: str = "kim", count: int = 1) -> list[Notice]:
    """Somebody is told of failed workloads."""
    async with transaction(site.world.maker) as session:
        user = await accounts.user_named(session, name)
        for number in range(count):
            data = {"name": f"설계 <b>{number}</b>", "why_ko": "메모리 부족", "why_en": "out of memory"}
            telling.tell(session, user, Kind.FAILED, f"W-AAAA{number:02}", data)
    return [notice for notice in await site.world.rows(Notice) if notice.user_id == user.id]


def bell_count(page: str) -> str:
    found = re.search(r'id="bell-count"[^>]*>(?:<b aria-hidden="true">([\d+]+)</b>)?', page)
    assert found
    return found[1] or ""


async def test_an_empty_bell_and_page(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get("/notifications")).text
    assert bell_count(page) == ""
    assert page.count("알림이 없습니다.") == 2
    assert "모두 읽음" in page


async def test_the_bell_counts_the_page_lists_and_reading_leads_on(kim: Site) -> None:
    notices = await tell(kim, count=12)
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get("/notifications")).text
        assert bell_count(page) == "12"
        bell, _, listed = page.partition("<main")
        assert (bell.count('class="notice '), listed.count('class="notice ')) == (10, 12)
        assert "설계 &lt;b&gt;11&lt;/b&gt; (W-AAAA11)" in listed
        assert "메모리 부족" in listed
        opened = await browser.get(f"/notifications/{notices[-1].id}")
        assert (opened.status_code, opened.headers["location"]) == (303, "/workloads/W-AAAA11")
        page = (await browser.get("/notifications?show=unread")).text
        assert bell_count(page) == "11"
        assert "W-AAAA11)" not in page.partition("<main")[2]
        await posted(browser, "/notifications/read", seen_at="/notifications", up_to=str(notices[-1].id))
        assert bell_count((await browser.get("/notifications")).text) == ""


async def test_pages_of_notices(kim: Site) -> None:
    await tell(kim, count=60)
    async with kim.client() as browser:
        await sign_in(browser)
        first = (await browser.get("/notifications")).text
        assert "60" in first
        second = (await browser.get("/notifications?page=2")).text.partition("<main")[2]
    assert second.count('class="notice ') == 10


async def test_in_english(kim: Site) -> None:
    await tell(kim)
    async with transaction(kim.world.maker) as session:
        await session.execute(update(User).where(User.username == "kim").values(language="en"))
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get("/notifications")).text
        tab = (await browser.get(TAB)).text
    for text in (
        "Notifications",
        "Mark all read",
        "Failed",
        "out of memory",
        "1 unread notification",
        "kept for 90 days",
    ):
        assert text in page, text
    assert "메모리 부족" not in page
    assert "Send a test notification" in tab


async def test_nobody_opens_reads_or_watches_anothers(kim: Site) -> None:
    (theirs,) = await tell(kim, "park")
    (park,) = [user for user in await kim.world.rows(User) if user.username == "park"]
    async with kim.client() as browser:
        await sign_in(browser)
        assert (await browser.get(f"/notifications/{theirs.id}")).status_code == 404
        assert "W-AAAA00" not in (await browser.get("/notifications")).text
        await posted(browser, "/notifications/read", seen_at="/notifications", up_to=str(theirs.id))
        watched = await browser.get("/events", params={"topics": f"notices:{park.id}:bell"})
        assert watched.status_code == 404
    assert [notice.read_at for notice in await kim.world.rows(Notice)] == [None]


async def test_the_bells_live_parts_have_no_form_token(kim: Site) -> None:
    await tell(kim)
    app_live = kim.app.state.live
    (topic,) = app_live.topics(f"notices:{kim.world.actors['kim'].user_id}:bell")
    reader = Reader(kim.world.actors["kim"], "ko", formats("ko", "Asia/Seoul"))
    html = await app_live.parts(reader, topic, "1.1", await app_live.viewpoint(reader.actor, topic))
    assert bell_count(html) == "1"
    assert "data-notice-browser" in html
    assert "form_token" not in html


async def test_the_grid_is_kept_and_admins_events_are_for_admins(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        page = (await browser.get(TAB)).text
        assert 'value="failed:email" checked' in page
        assert "node_down" not in page
        ways = ["failed:webhook", "node_down:email", "failed:pigeon", "nonsense"]
        saved = await posted(browser, "/account/notifications", seen_at=TAB, way=ways, wait_min="25")
        assert saved.headers["location"] == TAB
        page = (await browser.get(TAB)).text
        assert 'value="failed:webhook" checked' in page
        assert 'value="failed:email" checked' not in page
        assert 'name="wait_min" type="text" value="25"' in page
        assert "분 이상 기다렸을 때만" in page
        for wrong in ("-1", "x", "", "99999999"):
            refused = await posted(browser, "/account/notifications", seen_at=TAB, way=ways, wait_min=wrong)
            assert refused.status_code == 422, wrong
    (user,) = [user for user in await kim.world.rows(User) if user.username == "kim"]
    assert user.notice_ways["failed"] == ["webhook"]
    assert "node_down" not in user.notice_ways


async def secret_in(answer: httpx2.Response) -> str:
    found: str
    (found,) = set(re.findall(r"onewh_[\w-]{43}", answer.text))
    return found


async def test_a_webhooks_secret_is_shown_once(kim: Site) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        made = await posted(browser, "/account/notifications/webhook", seen_at=TAB, url="https://hooks.example.org/x")
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        secret = await secret_in(made)
        page = (await browser.get(TAB)).text
        assert "https://hooks.example.org/x" in page
        assert secret not in page
        for wrong in ("http://hooks.example.org/", "https://a:b@c.example/", ""):
            refused = await posted(browser, "/account/notifications/webhook", seen_at=TAB, url=wrong)
            assert refused.status_code == 422, wrong
        assert [row.secret for row in await kim.world.rows(Webhook)] == [secret]
        await posted(browser, "/account/notifications/webhook/remove", seen_at=TAB)
    assert await kim.world.rows(Webhook) == []


async def test_a_test_notification_and_what_could_not_be_delivered(kim: Site) -> None:
    async with transaction(kim.world.maker) as session:
        await session.execute(update(User).where(User.username == "kim").values(email="kim@lab.example"))
    async with kim.client() as browser:
        await sign_in(browser)
        sent = await posted(browser, "/account/notifications/test", seen_at=TAB)
        assert sent.headers["location"] == TAB
        assert (await posted(browser, "/account/notifications/test", seen_at=TAB)).status_code == 429
        async with transaction(kim.world.maker) as session:
            await session.execute(update(NoticeDelivery).values(state="failed", error="550 no such user"))
        page = (await browser.get(TAB)).text
    assert "550 no such user" in page
    assert "포기함" in page


async def test_a_start_can_be_asked_for_in_the_request(kim: Site, small: dict[str, Any]) -> None:
    run = await kim.world.submit(small, notify=("start",))
    for _ in range(2):
        await kim.world.round()
    assert (await kim.world.workload(run)).options["notify"] == ["start"]
    assert [(notice.kind, notice.object_id) for notice in await kim.world.rows(Notice)] == [("started", run)]


async def test_a_viewer_has_a_bell_too(site: Site) -> None:
    async with transaction(site.world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "viewer", role=Role.RESEARCHER)
        await accounts.change_user(session, ADMIN_TOOL, "viewer", role=Role.VIEWER)
    async with site.client() as browser:
        await as_viewer(site, browser)
        page = (await browser.get("/notifications")).text
    assert bell_count(page) == "2"
