"""W7 on the lab: a person with a password and one of the identity provider get to work, and one of them leaves."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from lab.commandline import One
from lab.hosts import on, portal_url, secret
from tests.browser import housekeeping
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.person import Person
from tests.lab.faults.breaking import stopped
from tests.lab.keycloak import keycloak_admin
from tests.lab.road_harness import Run, app, component
from tests.lab.test_order import taken

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
HOSTS = ("svc", "ctl")
"""Where a Unix account is looked for: the daemon's host and Slurm's."""
SOON_MS = 30_000
ACCOUNT = "lab"


@pytest.fixture
def newcomer() -> Iterator[str]:
    """Somebody whom the hosts know and the portal does not."""
    name = f"new{secrets.token_hex(3)}"
    for host in HOSTS:
        on(host, "useradd", "--groups", "one-users", "--uid", str(30000 + secrets.randbelow(20000)), name)
    yield name
    on("ctl", "scancel", f"--user={name}")  # after a failure: what runs as nobody leaves no logs
    on("ctl", "sacctmgr", "--immediate", "delete", "user", f"name={name}", check=False)
    for host in HOSTS:
        on(host, "userdel", name)


@pytest.fixture
def stranger() -> Iterator[str]:
    """Somebody whom only Keycloak knows."""
    name = f"sso{secrets.token_hex(3)}"
    with keycloak_admin() as keycloak:
        keycloak.add(name, secret("keycloak_people"))
        yield name
        keycloak.remove(name)


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_an_administrator_runs_the_house(
    person: PersonFactory, kim: One, admin: One, newcomer: str, stranger: str
) -> None:
    """W7: a new colleague's way to Slurm, thresholds, a token, a leaver, the audit log, and what an absent MinIO stops."""
    spec = app(component("A-001", "pass", gpu_type="A100", gpu_count=2))
    spec["name"] = f"House-{spec['app_id'][-6:]}"
    kim.told("apps", spec)
    decides, joins = person("admin"), person(newcomer, local=True)
    _waits_for_a_role(decides, person(stranger), stranger)
    housekeeping.sets_a_password(joins, housekeeping.adds(decides, newcomer, newcomer))
    _has_an_association_made(decides, newcomer)
    with taken("gpu1", "gpu2"):
        run = _has_something_queued(joins, admin, spec["app_id"])
        _lowers_the_threshold(decides, person("kim"), spec["app_id"], run)
        token = housekeeping.makes_a_token(joins)
        assert housekeeping.answer_to(portal_url(), token) == 200
        housekeeping.revokes_the_token(joins, token)
        assert housekeeping.answer_to(portal_url(), token) == 401
        housekeeping.deactivates(decides, joins, newcomer)
        assert run.now()["state"] == "queued"
        admin.text("cancel", run.id, "--reason", "its owner left")
        run.reaches("cancelled")
    housekeeping.does_not_deactivate_oneself(decides)
    housekeeping.is_in_the_log(decides, newcomer)
    _sees_what_a_part_stops(decides)


def _waits_for_a_role(admin: Person, new: Person, name: str) -> None:
    """Step 1: who comes by SSO looks only, until an administrator gives a role."""
    new.open("/")
    new.sees("역할 배정을 기다리고 있습니다|Waiting for a role.")
    answer = new.page.goto("/trainer")
    assert answer is not None
    assert answer.status == 403
    admin.open("/admin/users?status=waiting")
    admin.page.locator("tr").filter(has_text=name).get_by_role("link").first.click()
    admin.field("연구원|Researcher").check()
    admin.button("저장|Save").click()
    answer = new.page.goto("/trainer")
    assert answer is not None
    assert answer.status == 200


def _has_an_association_made(admin: Person, name: str) -> None:
    """Step 1: the line that the page gives is typed into the terminal beside it."""
    admin.open(f"/admin/users/{name}")
    expect(admin.page.locator("main")).to_contain_text(admin.say("association 없음|No association"), timeout=SOON_MS)
    row, line = housekeeping.lacks_an_association(admin, name)
    on("ctl", *shlex.split(line))
    housekeeping.asks_to_check_again(admin, row)
    expect(row).to_contain_text(admin.say("확인됨|Verified"), timeout=SOON_MS)


def _has_something_queued(new: Person, admin: One, app_id: str) -> Run:
    """Step 2: under the threshold, so it waits for GPUs only."""
    new.open(f"/trainer?app={app_id}")
    new.button("학습 요청 제출|Submit training request").locator("visible=true").last.click()
    new.page.wait_for_url("**/workloads/W-*")
    run = Run(admin, new.page.url.rpartition("/")[2])
    run.is_pending()
    return run


def _lowers_the_threshold(admin: Person, kim: Person, app_id: str, run: Run) -> None:
    """Step 2: whom it affects is said first; what is queued stays; the Builder follows."""
    needs = kim.say("승인 필요|Needs approval")
    try:
        housekeeping.set_threshold(admin, "2", r"\d+개가 승인 필요가 됩니다|\d+ of \d+ Apps would need approval")
        kim.open(f"/apps/{app_id}/builder?v=1.0.0")
        expect(kim.page.locator(".b-head")).to_contain_text(needs)
        assert run.now()["state"] == "queued"
    finally:
        housekeeping.set_threshold(admin, "4", r"\d+개가 승인 필요가 됩니다|\d+ of \d+ Apps would need approval")
    kim.page.reload()
    expect(kim.page.locator(".b-head")).to_contain_text("A100 x 2")
    expect(kim.page.locator(".b-head")).not_to_contain_text(needs)


def _sees_what_a_part_stops(admin: Person) -> None:
    """Step 3, health: MinIO."""
    with stopped("svc", "minio"):
        admin.open("/admin/health")
        admin.button("지금 확인|Check now").click()
        expect(admin.page.locator("tr").filter(has_text="S3")).to_contain_text(
            re.compile(admin.say("연결 불가|Unreachable")), timeout=SOON_MS
        )
        housekeeping.sees_what_s3_stops(admin)
