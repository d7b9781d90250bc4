"""P23 over HTTP: a threshold is changed with its effect shown first, the Builder and the Trainer follow, the queue does not."""

from __future__ import annotations

from typing import Any

from portal.db.models import Workload
from tests.web.conftest import Site
from tests.web.test_account_pages import posted
from tests.web.test_admin_users import house
from tests.web.test_signin import sign_in

__all__ = ["house"]
NEW = {"approval_gpus": "4", "approval_memory": "2GB"}


async def test_a_threshold_is_reviewed_saved_and_set_back(house: Site, small: dict[str, Any]) -> None:
    queued = await house.world.submit(small)
    for _ in range(3):
        await house.world.round()
    async with house.client() as browser:
        await sign_in(browser, "admin")
        before = (await browser.get(f"/apps/{small['app_id']}")).text
        review = await posted(browser, "/admin/settings/thresholds/review", **NEW, seen="0")
        for text in ("현재 App 1개 중 1개가 승인 필요가 됩니다", small["app_id"], "128GB → <b>2GB</b>"):
            assert text in review.text, text
        assert "승인 필요" not in before
        assert (await posted(browser, "/admin/settings/thresholds", **NEW, seen="0")).status_code == 303
        page = (await browser.get("/admin/settings")).text
        for text in ('value="2GB"', "파일의 값: 128GB", "128GB → <b>2GB</b>"):
            assert text in page, text
        assert "승인 필요" in (await browser.get(f"/apps/{small['app_id']}")).text
        stale = await posted(browser, "/admin/settings/thresholds", approval_gpus="9", approval_memory="2GB", seen="0")
        assert (stale.status_code, "그 사이 다른 관리자가" in stale.text) == (409, True)
        async with house.world.maker() as session:
            assert not (await session.get_one(Workload, queued)).needs_approval
        assert (await posted(browser, "/admin/settings/thresholds", reset="1", seen="1")).status_code == 303
        assert "승인 필요" not in (await browser.get(f"/apps/{small['app_id']}")).text
        assert "settings.change" in (await browser.get("/admin/audit?action=settings.change")).text


async def test_what_is_wrong_stands_at_its_field(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        texts = {"approval_gpus": "0", "approval_memory": "much"}
        for path in ("/admin/settings/thresholds/review", "/admin/settings/thresholds"):
            wrong = await posted(browser, path, **texts, seen="0")
            assert wrong.status_code == 422
            for text in ("1~1,000,000 사이의 정수를 쓰세요.", "64GB, 512MB처럼 쓰세요.", 'value="much"'):
                assert text in wrong.text, text
        for seen in ("", "-1", "x", "٣", "9" * 400):
            assert (await posted(browser, "/admin/settings/thresholds", **NEW, seen=seen)).status_code == 409
        assert (await posted(browser, "/admin/settings/none", seen="0")).status_code == 404


async def test_a_flag_is_off_when_its_box_is_empty(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        texts = {
            "test_episodes": "10",
            "test_iterations": "5",
            "test_gpus": "1",
            "test_memory": "16GB",
            "test_time_limit_min": "30",
        }
        same = await posted(browser, "/admin/settings/tests/review", **texts, seen="0")
        assert (same.status_code, "지금 값과 같습니다." in same.text) == (422, True)
        on = await posted(browser, "/admin/settings/tests", **texts, test_must_rise="on", seen="0")
        assert on.status_code == 303
    assert (await house.world.context.renewed()).settings.policy.test_must_rise
