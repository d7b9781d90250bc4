"""W7's steps at the pages, as they are walked on the simulated portal and on the lab: people, thresholds, tokens, the log."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

from playwright.sync_api import Locator, expect

from tests.browser.person import Person, fill_in

PASSWORD = "a-longer-way-home"


def adds(admin: Person, name: str, full_name: str, *, taken: str = "choi") -> str:
    """A name that is taken is refused; the one-time password is shown once, and returned."""
    admin.open("/admin/users")
    admin.link("사용자 추가|Add user").click()
    for username in (taken, name):
        admin.field("사용자 이름|User name").fill(username)
        admin.field("이름|Name").fill(full_name)
        admin.field("연구원|Researcher").check()
        admin.field("Unix 계정|Unix account").fill(name)
        admin.field("Slurm 계정|Slurm account").fill("lab")
        admin.button("사용자 추가|Add user").click()
        if username == taken:
            expect(admin.page.locator("#e-username")).to_contain_text(
                admin.say("이미 있는 사용자 이름입니다|User name already exists")
            )
    admin.sees("{name}의 임시 비밀번호|One-time password of {name}", name=name)
    secret = admin.page.locator(".secret").inner_text().split()[0]
    admin.link("사용자 화면으로|To the user").click()
    expect(admin.page.locator("main")).not_to_contain_text(secret)
    return secret


def sets_a_password(new: Person, once: str) -> None:
    """Nothing works before a password of one's own."""
    fill_in(new, once)
    expect(new.page.get_by_role("heading", level=1)).to_have_text(new.say("새 비밀번호 정하기|Set a new password"))
    new.open("/apps")
    expect(new.page).to_have_url(re.compile("/account/password"))
    for password in ("too-short", PASSWORD):
        new.field("지금 비밀번호|Present password").fill(once)
        new.field("새 비밀번호|New password").fill(password)
        new.field("새 비밀번호 다시|New password again").fill(password)
        new.button("저장|Save").click()
        if password != PASSWORD:
            expect(new.page.locator("#e-new")).to_contain_text("12")
    expect(new.page.get_by_role("heading", level=1)).to_have_text(new.say("홈|Home"))


def lacks_an_association(admin: Person, name: str) -> tuple[Locator, str]:
    """The row of the mapping, and the line that it gives for a terminal."""
    admin.open(f"/admin/slurm?q={name}")
    row = admin.page.locator("tr").filter(has_text=name)
    expect(row).to_contain_text(admin.say("association 없음|No association"))
    return row, row.locator("[data-copy]").get_attribute("data-copy") or ""


def asks_to_check_again(admin: Person, row: Locator) -> None:
    """The daemon looks soon."""
    row.get_by_role("button", name=admin.say("다시 확인|Check again")).click()


def set_threshold(admin: Person, value: str, sentence: str) -> None:
    """GPUs of one component; `sentence` is a pattern, in both languages, of whom the review page says it affects."""
    admin.open("/admin/settings")
    admin.field("컴포넌트 하나의 GPU (이상)|GPUs of one component, from").fill(value)
    heading = admin.page.get_by_role("heading", name=admin.say("승인 임계치|Approval thresholds"))
    admin.button("바꿀 내용 확인|Review the change", admin.page.locator("section").filter(has=heading)).click()
    expect(admin.page.locator("main")).to_contain_text(re.compile(admin.say(sentence), re.DOTALL))
    admin.button("저장|Save").click()
    expect(admin.page.locator("#history tbody tr").first).to_contain_text(f"→ {value}")


def makes_a_token(new: Person) -> str:
    """For reading, for 30 days; shown once."""
    new.open("/account?tab=tokens")
    new.field("이름|Name").fill("notebook")
    new.field("유효 기간|Expires after").select_option(label=new.say("30일|30 days"))
    new.field("읽기|Read").check()
    for both in ("제출|Submit", "모델 다운로드|Download models"):
        new.field(both).uncheck()
    expect(new.field("승인|Approve")).to_have_count(0)
    new.button("토큰 만들기|Create token").click()
    new.sees("이 값은 다시 볼 수 없습니다.|You will not see this again.")
    token = new.page.locator(".secret").inner_text().split()[0]
    expect(new.page.locator(".new-token")).to_contain_text("one login --token-stdin")
    return token


def revokes_the_token(new: Person, token: str) -> None:
    """It stays in the list, its value does not."""
    new.open("/account?tab=tokens")
    expect(new.page.locator("main")).not_to_contain_text(token)
    new.page.locator("main .row-actions a").click()
    new.button("폐기|Revoke", new.page.locator("dialog[open]")).click()
    expect(new.page.locator("tr").filter(has_text="notebook")).to_contain_text(new.say("폐기됨|Revoked"))


def answer_to(url: str, token: str) -> int:
    """The status of the API's list of workloads for this token."""
    asked = urllib.request.Request(f"{url}/api/v1/workloads", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def deactivates(admin: Person, leaver: Person, full_name: str) -> None:
    """Who has something waiting is asked about it; the session ends at the next click, the row stays."""
    admin.open(f"/admin/users/{leaver.name}")
    admin.link("비활성화|Deactivate").click()
    dialog = admin.page.locator("dialog[open]")
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    admin.button("비활성화|Deactivate", dialog).click()
    expect(admin.button("다시 활성화|Reactivate")).to_be_visible()
    leaver.open("/workloads")
    expect(leaver.page).to_have_url(re.compile("/login"))
    fill_in(leaver, PASSWORD)
    leaver.sees("비활성화된 계정입니다. 관리자에게 문의하세요.|This account is deactivated. Contact an administrator.")
    admin.open("/admin/users?status=deactivated")
    expect(admin.page.locator("tr").filter(has_text=full_name)).to_contain_text(admin.say("비활성|Deactivated"))


def does_not_deactivate_oneself(admin: Person) -> None:
    """Neither by the button nor by hand."""
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


def is_in_the_log(admin: Person, new: str) -> None:
    """What these steps left, by actor and action."""
    for actor, action in (
        ("admin", "user.create"),
        (new, "password.change"),
        ("admin", "user.mapping_ask"),
        (new, "workload.submit"),
        (new, "token.create"),
        (new, "token.revoke"),
        ("admin", "user.deactivate"),
    ):
        admin.open(f"/admin/audit?actor={actor}&action={action}")
        assert admin.page.locator("#rows tbody tr").count() > 0, (actor, action)


def sees_what_s3_stops(admin: Person) -> None:
    """The row of S3 once the doctor has looked."""
    row = admin.page.locator("tr").filter(has_text="S3")
    expect(row).to_contain_text(admin.say("연결 불가 또는 설정 오류|Unreachable or wrong"))
    expect(row).to_contain_text(
        admin.say("결과 저장이 지연되고 다운로드가 되지 않습니다.|Results wait to be saved; downloads fail.")
    )
