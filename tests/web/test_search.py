"""Search over everything: what each person finds, by name, id and Slurm job id, without scripts."""

from __future__ import annotations

import re
from typing import Any

from portal.db.engine import transaction
from portal.db.models import App
from tests.web.conftest import Site
from tests.web.test_admin_users import house
from tests.web.test_signin import sign_in

__all__ = ["house"]


async def found(site: Site, who: str, text: str) -> set[str]:
    """The groups in which this person finds something."""
    async with site.client() as browser:
        await sign_in(browser, who)
        page = await browser.get("/search", params={"q": text})
    assert page.status_code == 200
    return set(re.findall(r'id="hits-(\w+)"', page.text))


async def test_each_kind_is_found_by_name_and_id(house: Site, small: dict[str, Any]) -> None:
    workload = await house.world.submit({**small, "name": "Needle-100%"})
    for _ in range(3):
        await house.world.round()
    (job,) = (await house.world.workload(workload)).attempts[-1].jobs
    assert await found(house, "kim", "needle") == {"app", "workload"}
    assert await found(house, "kim", workload.lower()) == {"workload"}
    assert await found(house, "kim", "100%") == {"app", "workload"}
    assert "job" in await found(house, "kim", str(job.leader_id))
    assert await found(house, "kim", "gpu1") == {"node"}
    await house.world.play(workload)
    for _ in range(3):
        await house.world.round()
    assert "model" in await found(house, "kim", "needle")
    assert await found(house, "kim", "no such thing") == set()
    assert await found(house, "kim", "") == set()


async def test_people_are_found_by_admins_only(house: Site) -> None:
    assert await found(house, "admin", "park") == {"user"}
    assert await found(house, "kim", "park") == set()


async def test_private_things_are_found_by_their_owner_only(house: Site, small: dict[str, Any]) -> None:
    await house.world.submit({**small, "name": "Secret-Plan"})
    async with transaction(house.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    assert await found(house, "kim", "secret") == {"app", "workload"}
    assert await found(house, "viewer", "secret") == set()
