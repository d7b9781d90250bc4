"""P7 over HTTP: an App is chosen, values are set, what will happen is said, and one request comes out of two presses."""

from __future__ import annotations

import copy
import html
import json
from typing import Any

import httpx2
import pytest

from portal.db.engine import transaction
from portal.db.models import App, Workload
from portal.settings import Sharing
from tests.web.conftest import Site
from tests.web.formfields import fields_in
from tests.web.test_apps_pages import as_viewer
from tests.web.test_signin import kim, sign_in

__all__ = ["kim"]
FORM = "trainer-form"


async def opened(site: Site, browser: httpx2.AsyncClient, spec: dict[str, Any]) -> dict[str, str]:
    """Sign in, have the App, open the form: its fields."""
    await sign_in(browser)
    await site.post("kim", "/apps", spec, status=201)
    return fields_in(await browser.get("/trainer", params={"app": spec["app_id"]}), FORM)


async def previewed(browser: httpx2.AsyncClient, fields: dict[str, str], **changed: str) -> tuple[str, dict[str, str]]:
    """The page's text after a change as one types, and its fields."""
    answer = await browser.post("/trainer/preview", data=fields | changed, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    assert answer.text.lstrip().startswith('<div id="trainer">')
    return html.unescape(answer.text), fields_in(answer, FORM)


async def test_only_ready_apps_are_offered(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        await sign_in(browser)
        assert "준비 완료된 App이 없습니다. Builder에서 발행하세요." in (await browser.get("/trainer")).text
        await kim.post("kim", "/apps", small, status=201)
        page = (await browser.get("/trainer")).text
        assert f'href="/trainer?app={small["app_id"]}"' in page
        assert "조건에 맞는 App이 없습니다." in (await browser.get("/trainer", params={"q": "nothing"})).text
        async with transaction(kim.world.maker) as session:
            app = await session.get_one(App, small["app_id"])
            app.archived_at = app.created_at
        assert small["app_id"] not in (await browser.get("/trainer")).text
        gone = await browser.get("/trainer", params={"app": small["app_id"]})
        assert (gone.status_code, "보관되었습니다" in gone.text) == (409, True)


async def test_the_form_is_filled_from_the_app(kim: Site, example: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, example)
        assert (fields["top-gpu_type"], fields["top-gpus"], fields["top-memory"]) == ("A100", "4", "128GB")
        assert [fields[f"c{n}-gpus"] for n in range(5)] == ["2", "4", "1", "2", "1"]
        numbers = ("episodes", "learning_rate", "batch_size", "gamma", "max_steps_per_episode", "seed", "time_limit")
        assert [fields[name] for name in numbers] == ["1000", "0.001", "64", "0.99", "500", "42", "24h"]
        assert json.loads(fields["env_config"]) == example["training_config"]["env_config"]
        assert (fields["kind"], fields["reward-key-0"], fields["reward-value-0"]) == ("rl", "efficiency_weight", "0.6")
        assert (fields["env-key-0"], fields["env-value-0"]) == ("NCCL_DEBUG", "INFO")
        page = html.unescape((await browser.get("/trainer", params={"app": example["app_id"]})).text)
        for text in (
            "승인 필요: rl-agent GPU 4 ≥ 4, 메모리 128GB ≥ 128GB. 최소 실행 테스트를 통과해야 승인됩니다.",
            "제출하면 바로 최소 실행 테스트 시작",
            "추정할 기록이 부족합니다",
            "kim 계정으로 실행 · Slurm 계정 lab",
            "한 Slurm hetjob",
        ):
            assert text in page, text


async def test_a_share_says_its_part_what_it_is_for_and_what_limits_it(kim: Site, small: dict[str, Any]) -> None:
    for part in (part for task in small["tasks"] for part in task["components"]):
        part["resources"] = {"gpu_type": "V100", "gpu_shards": 2, "memory": "1GB"}
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        page, _fields = await previewed(browser, fields)
        for text in ("1 GPU의 2/4", "개발·추론 용도", "이 사이트에는 분할의 코어·메모리 제한이 없어"):
            assert text in page, text
        sharing = Sharing(library="/opt/hami/libvgpu.so")
        kim.app.state.settings = kim.world.context.settings.model_copy(update={"sharing": sharing})
        page, _fields = await previewed(browser, fields)
        assert "협조적 제한" in page


async def test_the_top_line_and_the_table_are_one(kim: Site, small: dict[str, Any]) -> None:
    small["tasks"][0]["components"][1]["resources"]["gpu_count"] = 2
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        _, raised = await previewed(browser, fields, **{"top-gpus": "3"})
        assert [raised[f"c{n}-gpus"] for n in range(5)] == ["1", "3", "1", "1", "1"], "only the holder changes"
        page, lowered = await previewed(browser, raised, **{"top-gpus": "1"})
        assert [lowered[f"c{n}-gpus"] for n in range(5)] == ["1", "1", "1", "1", "1"], "what is above is capped"
        assert "변경됨" in page
        assert "App과 다른 값 1개" in page
        page, restored = await previewed(browser, lowered, reset="c1")
        assert (restored["c1-gpus"], restored["top-gpus"]) == ("2", "2")
        assert "변경됨" not in page
        _, row = await previewed(browser, fields, **{"c0-gpus": "3", "c0-memory": "200"})
        assert (row["top-gpus"], row["top-memory"]) == ("3", "200GB"), "the top line follows the rows"
        _, typed = await previewed(browser, fields, **{"top-gpu_type": "V100"})
        kinds = [component["resources"]["gpu_type"] for component in small["tasks"][0]["components"]]
        assert kinds.count("A100") == 3
        assert [typed[f"c{n}-gpu_type"] for n in range(4)] == ["V100"] * 4


async def test_what_is_too_large_says_so_and_cannot_be_sent(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        page, changed = await previewed(browser, fields, **{"c0-gpus": "9"})
        for text in ("들어갈 수 없음", "노드보다 큼", "승인 필요", 'aria-disabled="true"'):
            assert text in page, text
        answer = await browser.post("/trainer", data=changed)
        assert (answer.status_code, 'id="e-c0-gpus"' in answer.text) == (422, True)


async def test_all_that_is_wrong_stands_at_its_field(kim: Site, small: dict[str, Any]) -> None:
    wrong = {
        "env_config": '{\n  "a": 1,\n}',
        "episodes": "0",
        "learning_rate": "viel",
        "gamma": "1.5",
        "c1-memory": "lots",
        "time_limit": "soon",
        "reward-value-0": "",
        "env-key-1": "SLURM_X",
        "env-value-1": "1",
    }
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        answer = await browser.post("/trainer", data=fields | wrong)
        page = html.unescape(answer.text)
        assert answer.status_code == 422
        for name in set(wrong) - {"env-value-1"}:
            assert f'id="e-{name}"' in page, name
        assert "2행 9열: 끝에 쉼표가 있습니다" in page or "3행 1열" in page
        assert "입력을 확인하세요" in page
        kept = fields_in(answer, FORM)
        assert (kept["env_config"], kept["episodes"], kept["key"]) == (wrong["env_config"], "0", fields["key"])
        async with kim.world.maker() as session:
            assert await session.get(Workload, "none") is None
        assert (await kim.world.rows(Workload)) == []


async def test_the_seed_and_the_json_are_one_value(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        _, seeded = await previewed(browser, fields, seed="7")
        assert json.loads(seeded["env_config"])["simulation_seed"] == 7
        _, negative = await previewed(browser, seeded, seed="-5")
        assert json.loads(negative["env_config"])["simulation_seed"] == -5
        _, written = await previewed(browser, seeded, env_config='{"simulation_seed": 8}')
        assert written["seed"] == "8"
        _, tidy = await previewed(browser, written, tidy="1")
        assert tidy["env_config"] == '{\n  "simulation_seed": 8\n}'


async def test_two_presses_make_one_workload_with_exactly_what_was_set(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        _, fields = await previewed(browser, fields, add="goal")
        fields |= {
            "goal-metric-0": "reward",
            "goal-value-0": "90",
            "goal-episodes-0": "5",
            "c2-gpus": "2",
            "learning_rate": "0.01",
            "episodes": "1,500",
            "env-value-0": "WARN",
            "name": "my run",
            "note": "why",
            "time_limit": "90m",
            "share_logs": "on",
        }
        first = await browser.post("/trainer", data=fields)
        second = await browser.post("/trainer", data=fields)
        assert first.status_code == second.status_code == 303
        assert first.headers["location"] == second.headers["location"]
    (made,) = await kim.world.rows(Workload)
    assert first.headers["location"] == f"/workloads/{made.id}"
    config = made.spec["training_config"]
    assert (config["episodes"], config["learning_rate"], config["batch_size"]) == (1500, 0.01, 64)
    assert config["goal_conditions"] == [{"metric": "reward", "op": ">=", "value": 90, "episodes": 5}]
    assert made.spec["env_vars"]["NCCL_DEBUG"] == "WARN"
    assert made.spec["tasks"][0]["components"][2]["resources"]["gpu_count"] == 2
    assert (made.name, made.note, made.time_limit_min, made.options["share_logs"]) == ("my run", "why", 90, True)


async def test_nothing_changed_is_the_apps_own_spec(kim: Site, example: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, example)
        await browser.post("/trainer", data=fields)
    (made,) = await kim.world.rows(Workload)
    assert made.spec == example
    assert made.options["run_test"], "the box is ticked by itself"


async def test_another_version_begins_with_its_own_components(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        newer = copy.deepcopy(small)
        newer["version"] = "1.1.0"
        newer["tasks"][0]["components"].reverse()
        newer["tasks"][0]["components"][0]["resources"]["memory"] = "48GB"
        await kim.post("kim", "/apps", newer, status=201)
        _, changed = await previewed(browser, fields, **{"c0-memory": "99GB", "v": "1.1.0", "episodes": "7"})
        assert (changed["c0-memory"], changed["top-memory"], changed["episodes"]) == ("48GB", "48GB", "7")
        await browser.post("/trainer", data=changed)
    (made,) = await kim.world.rows(Workload)
    assert (made.app_version, made.spec["tasks"]) == ("1.1.0", newer["tasks"])


async def test_a_general_run_has_no_training_fields(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        page, general = await previewed(browser, fields, kind="general")
        assert 'name="episodes"' not in page
        page, again = await previewed(browser, general, kind="rl")
        assert (again["episodes"], again["seed"]) == ("1000", "42"), "the App's values are back"
        await browser.post("/trainer", data=general)
    (made,) = await kim.world.rows(Workload)
    assert (made.kind, "training_config" in made.spec) == ("general", False)


async def test_clone_and_edit(kim: Site, example: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, example)
        answer = await browser.post("/trainer", data=fields | {"learning_rate": "0.01", "name": "first"})
        first = answer.headers["location"].rpartition("/")[2]
        await kim.world.round()
        cloned = await browser.get("/trainer", params={"from": first})
        assert "원본과 다른 값 0개" in cloned.text
        copy = fields_in(cloned, FORM)
        assert (copy["learning_rate"], copy["name"]) == ("0.01", f"{example['name']}-v2")
        page, copy = await previewed(browser, copy, learning_rate="0.02")
        assert "원본과 다른 값 1개" in page
        assert "training_config.learning_rate" in page
        made = await browser.post("/trainer", data=copy)
        assert made.headers["location"] != answer.headers["location"]
        correcting = await browser.get("/trainer", params={"edit": first})
        assert "저장하면 테스트 결과와 승인 절차가 처음부터 다시 시작됩니다." in correcting.text
        assert "수정 저장" in correcting.text
        saved = await browser.post("/trainer", data=fields_in(correcting, FORM) | {"c1-memory": "160GB"})
        assert saved.headers["location"] == f"/workloads/{first}"
    changed = await kim.world.workload(first)
    assert (changed.name, changed.state) == ("first", "submitted")
    assert changed.spec["tasks"][0]["components"][1]["resources"]["memory"] == "160GB"
    assert changed.spec["training_config"]["learning_rate"] == 0.01


async def test_an_unmapped_person_sees_the_plan_and_why_not(kim: Site, small: dict[str, Any]) -> None:
    from portal.db.models import User

    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        async with transaction(kim.world.maker) as session:
            (await session.get_one(User, kim.world.actors["kim"].user_id)).unix_user = None
        page, fields = await previewed(browser, fields)
        assert "Slurm 계정이 연결되지 않아 제출할 수 없습니다." in page
        assert "한 Slurm hetjob" in page
        answer = await browser.post("/trainer", data=fields)
        assert (answer.status_code, "Slurm 계정이 연결되지 않아" in answer.text) == (409, True)


async def test_a_viewer_has_no_trainer(kim: Site) -> None:
    async with kim.client() as browser:
        await as_viewer(kim, browser)
        page = await browser.get("/trainer")
        assert (page.status_code, "연구원" in page.text) == (403, True)
        assert 'href="/trainer"' not in (await browser.get("/")).text


@pytest.mark.parametrize("name", ["c0-gpus", "top-memory", "env_config", "reward-key-0", "v"])
async def test_hostile_texts_are_problems_or_texts_never_errors(kim: Site, small: dict[str, Any], name: str) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        for text in ("<b>'; $(id)\x00", "9" * 5000, "[" * 20000, "-1e999"):
            answer = await browser.post("/trainer/preview", data=fields | {name: text})
            assert answer.status_code < 500, (text[:20], answer.text[:500])
            assert "<b>'; $(id)" not in answer.text
