"""W7: an administrator runs the house: a new person, the thresholds, tokens, a leaver, the audit log, a part that is down."""

from __future__ import annotations

import csv
import re
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from portal.daemon import doctor
from portal.daemon.mapping import check_due
from tests.browser import apps
from tests.browser.conftest import PHONE, WIDE, PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person, fill_in

YOON = "yoon"
"""The plan's new person is called choi, whom the seed has already."""
PASSWORD = "a-longer-way-home"
ASSOCIATION = ("yoon", "lab")
DESIGN = "RL-DesignOpt-v1"


@pytest.mark.parametrize(("language", "width"), [("ko", WIDE), ("en", PHONE)], scope="module")
def test_w7_an_administrator_runs_the_house(person: PersonFactory, portal: Hosted) -> None:
    """Signing in by OpenID Connect and SAML is walked against a real provider: tests/keycloak."""
    portal.do(apps.publish(portal.world, "kim", apps.design()))
    admin, yoon, kim = person("admin"), person(YOON, password=""), person("kim")
    once = _adds(admin)
    _sets_a_password(yoon, once)
    _has_an_association_made(admin, portal)
    queued = _has_something_queued(yoon, portal)
    _lowers_the_threshold(admin, kim, portal, queued)
    _makes_a_token(yoon, portal)
    _deactivates(admin, yoon, portal, queued)
    _does_not_deactivate_oneself(admin)
    _finds_it_in_the_log(admin)
    _sees_what_a_part_stops(admin, portal)


def _adds(admin: Person) -> str:
    """Step 1: a name that is taken is refused; the one-time password is shown once."""
    admin.open("/admin/users")
    admin.link("사용자 추가|Add user").click()
    for name in ("choi", YOON):
        admin.field("사용자 이름|User name").fill(name)
        admin.field("이름|Name").fill("윤신입")
        admin.field("연구원|Researcher").check()
        admin.field("Unix 계정|Unix account").fill(YOON)
        admin.field("Slurm 계정|Slurm account").fill("lab")
        admin.button("사용자 추가|Add user").click()
        if name == "choi":
            expect(admin.page.locator("#e-username")).to_contain_text(
                admin.say("이미 있는 사용자 이름입니다|User name already exists")
            )
    admin.sees("{name}의 임시 비밀번호|One-time password of {name}", name=YOON)
    secret = admin.page.locator(".secret").inner_text().split()[0]
    admin.link("사용자 화면으로|To the user").click()
    expect(admin.page.locator("main")).not_to_contain_text(secret)
    return secret


def _sets_a_password(yoon: Person, once: str) -> None:
    """Step 1: nothing works before a password of one's own."""
    fill_in(yoon, once)
    expect(yoon.page.get_by_role("heading", level=1)).to_have_text(yoon.say("새 비밀번호 정하기|Set a new password"))
    yoon.open("/apps")
    expect(yoon.page).to_have_url(re.compile("/account/password"))
    for password in ("too-short", PASSWORD):
        yoon.field("지금 비밀번호|Present password").fill(once)
        yoon.field("새 비밀번호|New password").fill(password)
        yoon.field("새 비밀번호 다시|New password again").fill(password)
        yoon.button("저장|Save").click()
        if password != PASSWORD:
            expect(yoon.page.locator("#e-new")).to_contain_text("12")
    expect(yoon.page.get_by_role("heading", level=1)).to_have_text(yoon.say("홈|Home"))


def _has_an_association_made(admin: Person, portal: Hosted) -> None:
    """Step 1. There is no sacctmgr here: what its line makes is put into the simulated Slurm."""
    portal.do(check_due(portal.world.context))
    admin.open("/admin/slurm")
    row = admin.page.locator("tr").filter(has_text=YOON)
    expect(row).to_contain_text(admin.say("association 없음|No association"))
    expect(row.locator("[data-copy]")).to_have_attribute("data-copy", "sacctmgr -i add user name=yoon account=lab")
    portal.world.cluster.associations[ASSOCIATION] = portal.world.cluster.associations["kim", "lab"]
    row.get_by_role("button", name=admin.say("다시 확인|Check again")).click()
    portal.do(check_due(portal.world.context))
    admin.page.reload()
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
    _set_threshold(admin, "2", touched=True)
    assert portal.do(portal.world.workload(queued)).state == "queued"
    kim.open(f"/apps/{apps.DESIGN}/builder?v=1.0.0")
    expect(kim.page.locator(".b-head")).to_contain_text(needs)
    _set_threshold(admin, "4", touched=True)
    kim.page.reload()
    expect(kim.page.locator(".b-head")).to_contain_text("A100 x 2")
    expect(kim.page.locator(".b-head")).not_to_contain_text(needs)
    assert portal.do(portal.world.workload(queued)).state == "queued"


def _set_threshold(admin: Person, value: str, *, touched: bool) -> None:
    admin.open("/admin/settings")
    admin.field("컴포넌트 하나의 GPU (이상)|GPUs of one component, from").fill(value)
    heading = admin.page.get_by_role("heading", name=admin.say("승인 임계치|Approval thresholds"))
    admin.button("바꿀 내용 확인|Review the change", admin.page.locator("section").filter(has=heading)).click()
    main = admin.page.locator("main")
    needing = 1 if value == "2" else 0
    expect(main).to_contain_text(
        admin.say(
            "현재 App {total}개 중 {needing}개가 승인 필요가 됩니다|{needing} of {total} Apps would need approval",
            total=1,
            needing=needing,
        )
    )
    expect(main.get_by_role("link", name=DESIGN)).to_have_count(1 if touched else 0)
    admin.button("저장|Save").click()
    expect(admin.page.locator("#history tbody tr").first).to_contain_text(f"→ {value}")


def _makes_a_token(yoon: Person, portal: Hosted) -> None:
    """Step 2: shown once; it opens the API until it is revoked."""
    yoon.open("/account?tab=tokens")
    yoon.field("이름|Name").fill("notebook")
    yoon.field("유효 기간|Expires after").select_option(label=yoon.say("30일|30 days"))
    yoon.field("읽기|Read").check()
    for both in ("제출|Submit", "모델 다운로드|Download models"):
        yoon.field(both).uncheck()
    expect(yoon.field("승인|Approve")).to_have_count(0)
    yoon.button("토큰 만들기|Create token").click()
    yoon.sees("이 값은 다시 볼 수 없습니다.|You will not see this again.")
    token = yoon.page.locator(".secret").inner_text().split()[0]
    expect(yoon.page.locator(".new-token")).to_contain_text("one login --token-stdin")
    assert _status(portal, token) == 200
    yoon.open("/account?tab=tokens")
    expect(yoon.page.locator("main")).not_to_contain_text(token)
    yoon.page.locator("main .row-actions a").click()
    yoon.button("폐기|Revoke", yoon.page.locator("dialog[open]")).click()
    expect(yoon.page.locator("tr").filter(has_text="notebook")).to_contain_text(yoon.say("폐기됨|Revoked"))
    assert _status(portal, token) == 401


def _status(portal: Hosted, token: str) -> int:
    asked = urllib.request.Request(f"{portal.url}/api/v1/workloads", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _deactivates(admin: Person, yoon: Person, portal: Hosted, queued: str) -> None:
    """Step 3: the session ends at the next click, the queued job and the row stay."""
    admin.open(f"/admin/users/{YOON}")
    admin.link("비활성화|Deactivate").click()
    dialog = admin.page.locator("dialog[open]")
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    admin.button("비활성화|Deactivate", dialog).click()
    expect(admin.button("다시 활성화|Reactivate")).to_be_visible()
    yoon.open("/workloads")
    expect(yoon.page).to_have_url(re.compile("/login"))
    fill_in(yoon, PASSWORD)
    yoon.sees("비활성화된 계정입니다. 관리자에게 문의하세요.|This account is deactivated. Contact an administrator.")
    portal.round()
    assert portal.do(portal.world.workload(queued)).state == "queued"
    admin.open("/admin/users?status=deactivated")
    expect(admin.page.locator("tr").filter(has_text="윤신입")).to_contain_text(admin.say("비활성|Deactivated"))


def _does_not_deactivate_oneself(admin: Person) -> None:
    """Step 3: neither by the button nor by hand."""
    admin.open("/admin/users/admin")
    button = admin.button("비활성화|Deactivate")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(
        admin.say("자기 계정에는 할 수 없습니다.|You cannot do this to your own account.")
    )
    token = admin.page.locator("main [name=form_token]").first.input_value()
    origin = re.sub(r"(//[^/]+)/.*", r"\1", admin.page.url)
    answer = admin.page.request.post(
        "/admin/users/admin/deactivate", form={"form_token": token}, headers={"Origin": origin}
    )
    assert 400 <= answer.status < 500
    admin.page.reload()
    expect(button).to_be_visible()


def _finds_it_in_the_log(admin: Person) -> None:
    """Step 3: by actor and action, old and new; the export is in the log."""
    for actor, action in (
        ("admin", "user.create"),
        (YOON, "password.change"),
        ("admin", "user.mapping_ask"),
        (YOON, "workload.submit"),
        (YOON, "token.create"),
        (YOON, "token.revoke"),
        ("admin", "user.deactivate"),
    ):
        admin.open(f"/admin/audit?actor={actor}&action={action}")
        assert admin.page.locator("#rows tbody tr").count() > 0, (actor, action)
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
    row = admin.page.locator("tr").filter(has_text="S3")
    expect(row).to_contain_text(admin.say("연결 불가 또는 설정 오류|Unreachable or wrong"))
    expect(row).to_contain_text(
        admin.say("결과 저장이 지연되고 다운로드가 되지 않습니다.|Results wait to be saved; downloads fail.")
    )
    portal.world.store.down = False
