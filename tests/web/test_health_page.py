"""P20, P23 and P24 over HTTP: where /admin leads, what the doctor saw, images, and the maintenance switch."""

from __future__ import annotations

from typing import Any

import pytest

from portal.daemon import doctor as daemon_doctor
from portal.daemon import repairing
from portal.db.engine import transaction
from portal.db.models import Audit, Checkup
from portal.domain.findings import Code, Finding
from portal.services import doctor, health, maintenance
from portal.services.doctor import Part, Result, Wishes
from tests.web.conftest import Site
from tests.web.test_account_pages import posted
from tests.web.test_admin_users import house
from tests.web.test_signin import sign_in

__all__ = ["house"]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_doctor, "BETWEEN_LOOKS", 0)


async def examined(site: Site, result: Result, *, reconcile: bool = False) -> None:
    """A checkup that found this."""
    async with transaction(site.world.maker) as session:
        checkup = await doctor.ask(session, site.world.actors["admin"], Wishes(reconcile=reconcile))
        await doctor.finish(session, checkup.id, result)


async def test_admin_leads_to_what_is_red(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        assert (await browser.get("/admin")).headers["location"] == "/admin/users"
        await examined(house, Result((Part("s3", False, "connection refused"),), (), {}))
        assert (await browser.get("/admin")).headers["location"] == "/admin/health"
        await examined(house, Result((Part("s3", True, "4 buckets"),), (), {}))
        assert (await browser.get("/admin")).headers["location"] == "/admin/users"


async def test_an_admin_asks_and_the_daemon_answers(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        assert "아직 확인한 적이 없습니다." in (await browser.get("/admin/health")).text
        await posted(browser, "/admin/health/check")
        waiting = (await browser.get("/admin/health")).text
        assert ("daemon이 확인하는 중입니다." in waiting, 'hx-trigger="load delay:2s"' in waiting) == (True, True)
        await daemon_doctor.serve(house.world.context)
        page = (await browser.get("/admin/health")).text
        for text in ("객체 저장소 (S3)", " buckets", "정상", "밀린 일"):
            assert text in page, text
        assert "hx-trigger" not in page
    assert "doctor.ask" in [row.action for row in await house.world.rows(Audit)]


async def test_a_part_that_fails_comes_first_with_what_it_stops_and_since_when(house: Site) -> None:
    good, bad = Part("s3", True, "4 buckets"), Part("s3", False, "connection refused")
    for part in (good, bad, bad):
        await examined(house, Result((Part("database", True, "revision 0007"), part), (), {}))
    async with house.world.maker() as session:
        (since,) = [
            line.since for line in (await health.look(session, house.world.actors["admin"])).parts if not line.ok
        ]
        checkups = await house.world.rows(Checkup)
    assert since == checkups[1].done_at
    async with house.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get("/admin/health")).text
        assert "결과 저장이 지연되고" in page
        assert page.index("connection refused") < page.index("revision 0007")


async def test_mismatches_name_both_sides_and_the_cure(house: Site, small: dict[str, Any]) -> None:
    workload = await house.world.submit(small)
    finding = Finding(Code.LIVE_AFTER_END, "job", "42", "completed", "RUNNING", "slurm", workload)
    async with house.client() as browser:
        await sign_in(browser, "admin")
        assert "아직 비교한 적이 없습니다." in (await browser.get("/admin/health?tab=mismatch")).text
        await examined(house, Result((), (finding,), {"jobs": 12}), reconcile=True)
        page = (await browser.get("/admin/health?tab=mismatch")).text
        for text in ("포털에서는 끝난 작업이 Slurm에 살아 있습니다", "scancel 42", workload, "RUNNING"):
            assert text in page, text
        await posted(browser, "/admin/health/check", tab="mismatch")
        await daemon_doctor.serve(house.world.context)
        assert "포털과 Slurm이 일치합니다." in (await browser.get("/admin/health?tab=mismatch")).text


async def test_a_mismatch_is_mended_from_the_page(house: Site, small: dict[str, Any]) -> None:
    house.world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    await house.world.submit(small)
    for _ in range(3):
        await house.world.round()
    job = next(job for job in house.world.cluster.jobs.values() if job.live)
    meant, job.nice = job.nice, job.nice + 5
    async with house.client() as browser:
        await sign_in(browser, "admin")
        await posted(browser, "/admin/health/check", tab="mismatch")
        await daemon_doctor.serve(house.world.context)
        page = (await browser.get("/admin/health?tab=mismatch")).text
        assert page.count("data-confirm") == 2
        path = f"/admin/health/repair?code=wrong_place&about={job.job_id}&side=portal"
        assert path.replace("&", "&amp;") in page
        asked = (await browser.get(path)).text
        assert "포털이 정한 우선순위와 순서를 Slurm에 다시 씁니다." in asked
        assert (await posted(browser, path)).status_code == 303
        assert "daemon이 복구하는 중입니다." in (await browser.get("/admin/health?tab=mismatch")).text
        await repairing.mend(house.world.context)
        await daemon_doctor.serve(house.world.context)
        page = (await browser.get("/admin/health?tab=mismatch")).text
        assert ("복구됨" in page, "포털과 Slurm이 일치합니다." in page, job.nice) == (True, True, meant)
        for wrong in ("code=wrong_place&about=0&side=portal", "code=x&about=y&side=z"):
            assert (await browser.get(f"/admin/health/repair?{wrong}")).status_code == 404


async def test_images_in_use_stay_and_others_go(house: Site, small: dict[str, Any]) -> None:
    workload = await house.world.submit(small)
    for _ in range(3):
        await house.world.round()
    async with house.client() as browser:
        await sign_in(browser, "admin")
        page = (await browser.get("/admin/health?tab=images")).text
        path = page.split("/admin/health/images/")[1].split("/remove")[0]
        assert "지우기" in (await browser.get(f"/admin/health/images/{path}/remove")).text
        used = await posted(browser, f"/admin/health/images/{path}/remove")
        assert (used.status_code, workload in used.text) == (409, True)
        await house.world.play(workload)
        for _ in range(3):
            await house.world.round()
        assert (await posted(browser, f"/admin/health/images/{path}/remove")).status_code == 303
        assert (await browser.get("/admin/health/images/sha256:none/remove")).status_code == 404


async def test_maintenance_is_switched_with_a_reason(house: Site) -> None:
    async with house.client() as browser:
        await sign_in(browser, "admin")
        empty = await posted(browser, "/admin/settings/maintenance", switch="on", reason=" ")
        assert (empty.status_code, "사유를 1~500자로 쓰세요" in empty.text) == (422, True)
        await posted(browser, "/admin/settings/maintenance", switch="on", reason="디스크 교체")
        assert "디스크 교체" in (await browser.get("/admin/settings")).text
        assert (await posted(browser, "/admin/settings/maintenance", switch="on", reason="again")).status_code == 409
        await posted(browser, "/admin/settings/maintenance", switch="off")
        page = (await browser.get("/admin/settings")).text
        assert ("images.registries" in page, "128GB" in page) == (True, True)
    async with house.world.maker() as session:
        assert await maintenance.current(session) is None
