"""W9: somebody who works at a terminal: `one` against the portal, and the browser beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser import apps
from tests.browser.conftest import PersonFactory
from tests.browser.hosted import Hosted
from tests.browser.person import Person
from tests.browser.terminal import Terminal, interrupt
from tests.browser.words import Words
from tests.daemon.world import World

NOT_PERMITTED = 4
INVALID = 7
DETACHED = 130


def test_w9_somebody_at_a_terminal(person: PersonFactory, portal: Hosted, say: Words, tmp_path: Path) -> None:
    park = person("park")
    terminal = Terminal(tmp_path, say.language)
    _write(tmp_path)
    portal.do(apps.publish(portal.world, "park", apps.design()))
    _signs_in(park, terminal, portal)
    _checks_files(terminal, say)
    _plans_as_the_trainer(park, terminal)
    workload_id = _follows(park, terminal, portal)
    _asks_about_it(terminal, portal, workload_id)
    _takes_the_model(terminal)
    _meets_the_gate(park, terminal, portal)
    _lacks_a_scope(park, terminal)


def _write(folder: Path) -> None:
    """The files of the walk."""
    broken, big = apps.design(), apps.design("2.0.0")
    broken["tasks"][0]["workflow"].append({"from": "CL-REF-003", "to": "CL-REF-001"})
    broken["tasks"][0]["components"][0]["colour"] = "red"
    big["tasks"][0]["components"][1]["resources"]["gpu_count"] = 4
    files: dict[str, Any] = {"example": apps.design(), "broken": broken, "small": apps.design(), "big": big}
    for name, spec in files.items():
        (folder / f"{name}.json").write_text(json.dumps(spec, ensure_ascii=False))


def _token(park: Person, name: str, *scopes: str) -> str:
    """Make one at 내 계정."""
    park.open("/account?tab=tokens")
    park.field("이름|Name").fill(name)
    for both in ("읽기|Read", "제출|Submit", "모델 다운로드|Download models"):
        park.field(both).set_checked(both in scopes)
    park.button("토큰 만들기|Create token").click()
    return park.page.locator(".secret").inner_text().split()[0]


def _signs_in(park: Person, terminal: Terminal, portal: Hosted) -> None:
    """Step 1."""
    token = _token(park, "cluster-login", "읽기|Read", "제출|Submit", "모델 다운로드|Download models")
    said = terminal.one("login", "--url", portal.url, "--token-stdin", given=f"{token}\n")
    assert "park" in said
    assert token not in said


def _checks_files(terminal: Terminal, say: Words) -> None:
    """Step 1: right, and wrong in two places."""
    terminal.one("validate", "example.json")
    said = terminal.one("validate", "broken.json", code=INVALID)
    assert "$.tasks[0].workflow" in said
    assert "$.tasks[0].components[0].colour" in said
    assert say("순환 참조입니다|Cycle") in said


def _plans_as_the_trainer(park: Person, terminal: Terminal) -> None:
    """Step 1: the words of the Trainer's panel."""
    park.open(f"/trainer?app={apps.DESIGN}")
    plan = park.page.locator("#outlook section").filter(has_text=park.say("실행 계획|Plan")).first
    words = plan.locator(".outlook-answer").inner_text()
    assert words in terminal.one("plan", "example.json")


def _follows(park: Person, terminal: Terminal, portal: Hosted) -> str:
    """Step 2: id, next commands, live logs; Ctrl-C leaves it running."""
    following = terminal.begin("submit", "small.json", "--name", "From-A-Terminal", "--follow")
    assert following.stdout is not None
    first = following.stdout.readline()
    found = re.search(r"W-[A-Z0-9]{6}", first)
    assert found, first
    workload_id = found[0]
    park.open("/workloads")
    expect(park.page.locator("#rows tbody tr").filter(has_text=workload_id)).to_be_visible()
    portal.until(lambda world: _is(world, workload_id, "running"))
    seen = [first]
    while not seen[-1].startswith("[CL-REF-001]"):
        portal.round(seconds=1)
        seen.append(following.stdout.readline())
        assert seen[-1], "".join(seen)
    assert any(f"one why {workload_id}" in line for line in seen)
    rest = interrupt(following)
    assert following.returncode == DETACHED
    assert park.say("화면만 떼었습니다|Detached") in rest
    assert portal.do(portal.world.workload(workload_id)).state == "running"
    return workload_id


def _asks_about_it(terminal: Terminal, portal: Hosted, workload_id: str) -> None:
    """Step 2: why, one component's log, the list for programs."""
    assert terminal.one("why", workload_id).strip()
    portal.until(lambda world: _is(world, workload_id, "completed"), seconds=30)
    log = terminal.one("logs", workload_id, "--component", "rl-agent")
    assert "simulated: " in log
    assert "CL-REF-001" not in log
    (listed,) = terminal.document("list", "--mine")["items"]
    assert (listed["id"], listed["state"]) == (workload_id, "completed")


def _takes_the_model(terminal: Terminal) -> None:
    """Step 2."""
    assert "sha256" in terminal.one("models", "download", apps.DESIGN, "1")
    assert list((terminal.home / f"{apps.DESIGN}-v1").rglob("*.safetensors"))


def _meets_the_gate(park: Person, terminal: Terminal, portal: Hosted) -> None:
    """Step 3: what is needed is said; the test's result is in the portal too."""
    said = terminal.one("submit", "big.json", "--name", "Too-Big")
    found = re.search(r"W-[A-Z0-9]{6}", said)
    assert found, said
    workload_id = found[0]
    assert "rl-agent GPU 4" in said
    assert f"one test {workload_id}" in said
    portal.round(only=("resolving",))
    assert park.say("승인대기|Awaiting approval") in terminal.one("show", workload_id)
    terminal.one("test", workload_id)
    portal.until(lambda world: _is_tested(world, workload_id), seconds=30)
    park.open(f"/approvals/{workload_id}")
    expect(park.page.locator("#test")).to_contain_text(park.say("테스트 통과|Test passed"))

    refused = terminal.one("approve", workload_id, code=NOT_PERMITTED)
    assert refused.strip() == park.say(
        "권한이 없습니다. 이 작업에는 관리자 역할이 필요합니다.|Not permitted. This needs the admin role."
    )
    terminal.one("cancel", workload_id)
    park.page.reload()
    expect(park.page.locator(".page-head")).to_contain_text(park.say("취소|Cancelled"))


def _lacks_a_scope(park: Person, terminal: Terminal) -> None:
    """Step 3: the token reads only."""
    token = _token(park, "reader", "읽기|Read")
    assert terminal.one("list", ONE_TOKEN=token)
    assert "submit" in terminal.one("submit", "small.json", code=NOT_PERMITTED, ONE_TOKEN=token)


async def _is(world: World, workload_id: str, state: str) -> bool:
    return (await world.workload(workload_id)).state == state


async def _is_tested(world: World, workload_id: str) -> bool:
    test = (await world.workload(workload_id)).test
    return test is not None and test.status == "passed"
