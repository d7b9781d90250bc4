"""W7: an administrator runs the house: a new person, the thresholds, tokens, a leaver, the audit log, a part that is down."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import expect

from portal.daemon import doctor
from portal.daemon.mapping import check_due
from tests.browser import apps, housekeeping
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person

YOON, FULL_NAME = "yoon", "윤신입"
"""The plan's new person is called choi, whom the seed has already."""
ASSOCIATION = ("yoon", "lab")
DESIGN = "RL-DesignOpt-v1"


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_w7_an_administrator_runs_the_house(person: PersonFactory, portal: Hosted) -> None:
    """Signing in by OpenID Connect and SAML is walked against a real provider: tests/keycloak."""
    portal.do(apps.publish(portal.world, "kim", apps.design()))
    admin, yoon, kim = person("admin"), person(YOON, password=""), person("kim")
    housekeeping.sets_a_password(yoon, housekeeping.adds(admin, YOON, FULL_NAME))
    _has_an_association_made(admin, portal)
    queued = _has_something_queued(yoon, portal)
    _lowers_the_threshold(admin, kim, portal, queued)
    token = housekeeping.makes_a_token(yoon)
    assert housekeeping.answer_to(portal.url, token) == 200
    housekeeping.revokes_the_token(yoon, token)
    assert housekeeping.answer_to(portal.url, token) == 401
    housekeeping.deactivates(admin, yoon, FULL_NAME)
    portal.round()
    assert portal.do(portal.world.workload(queued)).state == "queued"
    housekeeping.does_not_deactivate_oneself(admin)
    housekeeping.is_in_the_log(admin, YOON)
    _exports_the_changes_of_settings(admin)
    _sees_what_a_part_stops(admin, portal)


def _has_an_association_made(admin: Person, portal: Hosted) -> None:
    """Step 1. There is no sacctmgr here: what its line makes is put into the simulated Slurm."""
    portal.do(check_due(portal.world.context))
    row, line = housekeeping.lacks_an_association(admin, YOON)
    assert line == "sacctmgr -i add user name=yoon account=lab qos+=one-normal,one-low,one-test"
    portal.world.cluster.associations[ASSOCIATION] = portal.world.cluster.associations["kim", "lab"]
    housekeeping.asks_to_check_again(admin, row)
    portal.do(check_due(portal.world.context))
    expect(row).to_contain_text(admin.say("확인됨|Verified"))


def _has_something_queued(yoon: Person, portal: Hosted) -> str:
    """Step 2: under the threshold, so it waits for GPUs only."""
    portal.world.cluster.drained |= {"gpu1": "busy", "gpu2": "busy"}
    yoon.open(f"/trainer?app={apps.DESIGN}")
    yoon.button("학습 요청 제출|Submit training request").locator("visible=true").last.click()
    yoon.page.wait_for_url("**/workloads/W-*")
    portal.round(2)
    workload_id = yoon.page.url.rpartition("/")[2]
    assert portal.do(portal.world.workload(workload_id)).state == "queued"
    return workload_id


def _lowers_the_threshold(admin: Person, kim: Person, portal: Hosted, queued: str) -> None:
    """Step 2: whom it affects is said first; what is queued stays; the Builder follows."""
    needs = kim.say("승인 필요|Needs approval")
    _set_threshold(admin, "2", needing=1)
    assert portal.do(portal.world.workload(queued)).state == "queued"
    kim.open(f"/apps/{apps.DESIGN}/builder?v=1.0.0")
    expect(kim.page.locator(".b-head")).to_contain_text(needs)
    _set_threshold(admin, "4", needing=0)
    kim.page.reload()
    expect(kim.page.locator(".b-head")).to_contain_text("A100 x 2")
    expect(kim.page.locator(".b-head")).not_to_contain_text(needs)
    assert portal.do(portal.world.workload(queued)).state == "queued"


def _set_threshold(admin: Person, value: str, *, needing: int) -> None:
    korean = f"현재 App 1개 중 {needing}개가 승인 필요가 됩니다.*{DESIGN}"
    housekeeping.set_threshold(admin, value, f"{korean}|{needing} of 1 Apps would need approval.*{DESIGN}")


def _exports_the_changes_of_settings(admin: Person) -> None:
    """Step 3: old and new; the export is in the log."""
    admin.open("/admin/audit")
    admin.field("사용자|Actor").fill("admin")
    admin.field("동작|Action").select_option(value="settings.change")
    admin.button("검색|Search", admin.page.locator(".audit-filters")).click()
    rows = admin.page.locator("#rows tbody tr")
    expect(rows).to_have_count(2)
    rows.last.get_by_role("link").first.click()
    changed = admin.page.locator("main")
    expect(changed).to_contain_text("approval_gpus")
    expect(changed).to_contain_text(re.compile(r"4\s*→\s*2"))
    admin.page.go_back()
    admin.page.locator("summary").filter(has_text=admin.say("내보내기|Export")).click()
    with admin.page.expect_download() as waiting:
        admin.link("CSV").click()
    lines = list(csv.reader(waiting.value.path().read_text("utf-8-sig").splitlines()))
    assert len(lines) == 3
    admin.open("/admin/audit?action=audit.export")
    expect(admin.page.locator("#rows tbody tr")).to_have_count(1)


def _sees_what_a_part_stops(admin: Person, portal: Hosted) -> None:
    """Step 3, health: S3."""
    portal.world.store.down = True
    admin.open("/admin/health")
    admin.button("지금 확인|Check now").click()
    portal.do(doctor.serve(portal.world.context))
    admin.page.reload()
    housekeeping.sees_what_s3_stops(admin)
    portal.world.store.down = False
