"""P7's templates over HTTP: settings are kept under a name, loaded into another App's form, shared by admins, and removed."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from portal.db.engine import transaction
from portal.db.models import Audit, TrainingTemplate
from portal.services import accounts, passwords, trainingtemplates
from portal.services.errors import Conflict
from tests.web.conftest import Site
from tests.web.formfields import fields_in
from tests.web.test_signin import PASSWORD, kim, sign_in, token_in
from tests.web.test_trainer import FORM, opened, previewed

__all__ = ["kim"]


async def kept(
    browser: httpx2.AsyncClient, fields: dict[str, str], name: str, **more: str
) -> tuple[httpx2.Response, str]:
    """What saving answers, and the id that is chosen then."""
    answer = await browser.post("/trainer/templates", data=fields | {"template_name": name} | more)
    return answer, fields_in(answer, FORM).get("template", "")


async def test_settings_are_kept_and_loaded_into_another_app(kim: Site, example: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, example)
        changed = fields | {"episodes": "77", "seed": "9", "smallest": "on", "c0-gpus": "1", "goal-metric-0": "reward"}
        answer, number = await kept(browser, changed, " 밤새 ")
        assert (answer.status_code, "밤새 저장함" in answer.text, "밤새" in answer.text) == (200, True, True)
        other = {**example, "app_id": "APP-OTHER1", "name": "Other", "training_config": {"episodes": 5}}
        await kim.post("kim", "/apps", other, status=201)
        form = fields_in(await browser.get("/trainer", params={"app": "APP-OTHER1"}), FORM)
        assert (form["episodes"], "smallest" in form, "reward-key-0" in form) == ("5", False, False)
        _, loaded = await previewed(browser, form, template=number, load="1")
        assert (loaded["episodes"], loaded["smallest"], loaded["reward-key-0"]) == ("77", "on", "efficiency_weight")
        assert (loaded["seed"], loaded["goal-metric-0"]) == ("9", "reward")
        assert loaded["c0-gpus"] == form["c0-gpus"], "resources are the App's"
        assert loaded["name"] == form["name"]


async def test_the_same_name_replaces_and_a_name_is_needed(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        _, first = await kept(browser, fields | {"kind": "rl", "episodes": "3"}, "a")
        _, second = await kept(browser, fields | {"kind": "rl", "episodes": "4"}, "a")
        assert first == second
        _, loaded = await previewed(browser, fields, template=first, load="1")
        assert loaded["episodes"] == "4"
        for name in ("", "x" * 81):
            answer, _ = await kept(browser, fields, name)
            assert (answer.status_code, "이름을 1~80자로 적으세요." in answer.text) == (422, True)
        large = {"kind": "rl", "env_config": '"' + "x" * trainingtemplates.MOST_CHARS + '"'}
        answer, _ = await kept(browser, fields | large, "large")
        assert (answer.status_code, "설정이 64KB를 넘습니다." in answer.text) == (422, True)


async def test_only_admins_share_and_others_see_no_more_than_that(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser, kim.client() as admin:
        fields = await opened(kim, browser, small)
        answer, _ = await kept(browser, fields, "mine", template_shared="on")
        assert answer.status_code == 403
        _, own = await kept(browser, fields, "mine")
        async with transaction(kim.world.maker) as session:
            await passwords.put(await accounts.user_named(session, "admin"), PASSWORD, temporary=False)
        await sign_in(admin, "admin")
        form = fields_in(await admin.get("/trainer", params={"app": small["app_id"]}), FORM)
        assert "mine" not in (await admin.get("/trainer")).text
        assert (await admin.post("/trainer/preview", data=form | {"template": own, "load": "1"})).status_code == 404
        _, shared = await kept(admin, form, "for all", template_shared="on")
        page = (await browser.get("/trainer")).text
        assert "for all" in page
        assert f"/trainer/templates/{own}/remove" in page
        assert f"/trainer/templates/{shared}/remove" not in page
        assert (await browser.get(f"/trainer/templates/{shared}/remove")).status_code == 403
        _, loaded = await previewed(browser, fields, template=shared, load="1")
        assert loaded["template"] == shared


async def test_removing_asks_first_and_is_written_down(kim: Site, small: dict[str, Any]) -> None:
    async with kim.client() as browser:
        fields = await opened(kim, browser, small)
        _, number = await kept(browser, fields, "gone soon")
        path = f"/trainer/templates/{number}/remove"
        asked = await browser.get(path)
        assert "되돌릴 수 없습니다" in asked.text
        assert (await browser.post(path, data={"form_token": token_in(asked)})).status_code == 303
        assert (await browser.get(path)).status_code == 404
        assert (await browser.get(f"/trainer/templates/{2**63}/remove")).status_code == 404
    async with transaction(kim.world.maker) as session:
        actions = await session.scalars(
            select(Audit.action).where(Audit.object_type == "training_template").order_by(Audit.id)
        )
        assert list(actions) == ["training_template.save", "training_template.remove"]


async def test_there_is_an_end_to_how_many(kim: Site) -> None:
    async with transaction(kim.world.maker) as session:
        actor = kim.world.actors["kim"]
        for number in range(trainingtemplates.MOST):
            await trainingtemplates.save(session, actor, str(number), {})
        with pytest.raises(Conflict):
            await trainingtemplates.save(session, actor, "one more", {})
        assert len((await session.scalars(select(TrainingTemplate))).all()) == trainingtemplates.MOST
