"""Each thing is told once, in the transaction in which it happened, and only to those whom it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.db.engine import transaction
from portal.db.models import Audit, Notice, NoticeDelivery, User, Workload, now
from portal.domain.lifecycle import State
from portal.domain.notices import Channel, Kind
from portal.domain.noticewords import path, words
from portal.domain.priority import Level
from portal.services import accounts, approvals, noticechoices, notices, queue, state, telling
from portal.services.accounts import Role
from portal.services.audit import DAEMON
from portal.services.errors import Invalid, NotFound, TooMany
from tests.daemon.world import ADMIN_TOOL, World

pytestmark = pytest.mark.anyio


async def told(world: World, kind: Kind | None = None) -> list[tuple[str, str, str]]:
    """(user name, kind, object), oldest first."""
    async with world.maker() as session:
        query = select(User.username, Notice.kind, Notice.object_id).join(User, User.id == Notice.user_id)
        rows = [(name, of, about) for name, of, about in await session.execute(query.order_by(Notice.id))]
    return [row for row in rows if kind is None or row[1] == kind]


async def ways_of(world: World, kind: Kind) -> Sequence[str]:
    async with world.maker() as session:
        query = select(NoticeDelivery.channel).join(Notice, Notice.id == NoticeDelivery.notice_id)
        return list(await session.scalars(query.where(Notice.kind == kind.value).order_by(NoticeDelivery.id)))


async def with_mail(world: World, *names: str) -> None:
    async with transaction(world.maker) as session:
        for name in names:
            await session.execute(update(User).where(User.username == name).values(email=f"{name}@lab.example"))


async def test_a_request_is_told_to_those_who_may_approve_and_its_end_to_its_owner(
    world: World, large: dict[str, Any]
) -> None:
    asked = await world.submit(large)
    await world.round()
    assert await told(world) == [("admin", "needs_approval", asked), ("boss", "needs_approval", asked)]
    await world.round()
    assert len(await told(world)) == 2
    async with transaction(world.maker) as session:
        await approvals.reject(session, world.actors["boss"], asked, "Use fewer GPUs, please.")
    assert await told(world, Kind.REJECTED) == [("kim", "rejected", asked)]
    row = (await world.rows(Notice))[-1]
    assert (row.data["by"], row.data["reason"]) == ("boss", "Use fewer GPUs, please.")


async def test_an_admins_own_request_is_told_to_the_other_admins(world: World, large: dict[str, Any]) -> None:
    async with transaction(world.maker) as session:
        await session.execute(update(User).where(User.username == "boss").values(unix_user="boss", slurm_account="lab"))
    await world.submit(large, "boss")
    await world.round()
    assert [row[0] for row in await told(world, Kind.NEEDS_APPROVAL)] == ["admin"]


async def test_a_run_that_did_not_wait_tells_only_its_end(world: World, small: dict[str, Any]) -> None:
    run = await world.submit(small)
    await world.round()
    await world.round()
    await world.play(run)
    for _ in range(3):
        await world.round()
    assert (await world.workload(run)).state == "completed"
    assert await told(world) == [("kim", "finished", run)]


async def test_a_start_after_a_long_wait_is_told_once(world: World, small: dict[str, Any]) -> None:
    run = await world.submit(small)
    async with transaction(world.maker) as session:
        await session.execute(update(User).where(User.username == "kim").values(notice_wait_min=0))
    await world.round()
    await world.round()
    await world.round()
    assert await told(world) == [("kim", "started", run)]


async def test_an_analysis_that_was_ended_by_its_owner_tells_nothing_and_by_another_does(
    world: World, small: dict[str, Any]
) -> None:
    run = await world.submit(small)
    for who, count in ((world.actors["kim"], 0), (world.actors["admin"], 1)):
        async with transaction(world.maker) as session:
            workload = await session.get_one(Workload, run)
            telling.analysed(session, who, workload, State.CANCELLED)
        assert len(await told(world, Kind.ANALYSIS_ENDED)) == count
    korean = words(Kind.ANALYSIS_ENDED, "W-1", {"result": "cancelled"}, korean=True)
    assert (korean.sentence, path(Kind.ANALYSIS_ENDED, "W-1")) == ("결과: 취소됨.", "/analyses/W-1")


async def test_a_failed_image_has_a_kind_of_its_own(world: World, small: dict[str, Any]) -> None:
    run = await world.submit(small)
    async with transaction(world.maker) as session:
        workload = await session.get_one(Workload, run)
        failure = {"cause": "image", "image": "a:1", "message": "not found"}
        await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
    assert await told(world) == [("kim", "image_failed", run)]
    assert "not found" in (await world.rows(Notice))[0].data["why_en"]


async def test_a_test_is_told_to_the_applicant_and_to_who_ran_it_and_never_as_a_run(
    world: World, large: dict[str, Any]
) -> None:
    asked = await world.submit(large)
    await world.round()
    run = await world.start_test(asked, "boss")
    for _ in range(2):
        await world.round()
    await world.play(run, rewards=[float(n) for n in range(10)])
    for _ in range(3):
        await world.round()
    found = await told(world)
    assert sorted(row for row in found if row[1] != "needs_approval") == [
        ("boss", "test_finished", asked),
        ("kim", "test_finished", asked),
    ]


async def test_priority_changed_by_another(world: World, small: dict[str, Any]) -> None:
    run = await world.submit(small)
    async with transaction(world.maker) as session:
        workload = await session.get_one(Workload, run)
        workload.state, workload.queued_at = "queued", now()
    async with transaction(world.maker) as session:
        await queue.set_priority(session, world.actors["admin"], world.context.settings, run, Level.HIGH)
        await queue.set_priority(session, world.actors["admin"], world.context.settings, run, Level.HIGH)
    assert await told(world) == [("kim", "priority", run)]


async def test_a_new_role_and_nothing_else_of_an_account(world: World) -> None:
    async with transaction(world.maker) as session:
        await accounts.change_user(session, world.actors["admin"], "kim", display_name="Kim")
        await accounts.change_user(session, world.actors["admin"], "kim", role=Role.VIEWER)
    assert await told(world) == [("kim", "role", "kim")]


async def test_a_node_that_goes_down_is_told_once_to_admins(world: World) -> None:
    name = world.cluster.nodes[0].name
    world.cluster.kill_node(name)
    await world.round()
    await world.round()
    assert await told(world) == [("admin", "node_down", name), ("boss", "node_down", name)]


async def test_nothing_is_told_where_the_change_is_taken_back(world: World) -> None:
    async def change_and_fail() -> None:
        async with transaction(world.maker) as session:
            await accounts.change_user(session, world.actors["admin"], "kim", role=Role.VIEWER)
            raise RuntimeError("something else went wrong")

    with pytest.raises(RuntimeError):
        await change_and_fail()
    assert await told(world) == []


async def test_deliveries_are_only_for_ways_that_one_has_and_wants(world: World) -> None:
    async def change(role: Role) -> None:
        async with transaction(world.maker) as session:
            await accounts.change_user(session, world.actors["admin"], "kim", role=role)

    await change(Role.VIEWER)
    assert await ways_of(world, Kind.ROLE) == []
    await with_mail(world, "kim")
    await change(Role.RESEARCHER)
    assert await ways_of(world, Kind.ROLE) == ["email"]
    async with transaction(world.maker) as session:
        await noticechoices.set_webhook(
            session, world.actors["kim"], world.context.settings, "https://hooks.example.org/"
        )
        await noticechoices.choose(session, world.actors["kim"], {Kind.ROLE: [Channel.WEBHOOK]}, 5)
    await change(Role.VIEWER)
    assert await ways_of(world, Kind.ROLE) == ["email", "webhook"]


async def test_who_left_is_told_nothing(world: World) -> None:
    async with transaction(world.maker) as session:
        await accounts.deactivate(session, ADMIN_TOOL, "kim")
        await accounts.change_user(session, ADMIN_TOOL, "kim", role=Role.VIEWER)
    assert await told(world) == []


async def test_nobody_reads_anothers_notices(world: World) -> None:
    async with transaction(world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "kim", role=Role.VIEWER)
    notice = (await world.rows(Notice))[0]
    async with transaction(world.maker) as session:
        for other in ("park", "admin"):
            actor = world.actors[other]
            assert await notices.unread(session, actor) == 0
            assert (await notices.page(session, actor, 1, 10)).total == 0
            await notices.read_all(session, actor, notice.id)
            with pytest.raises(NotFound):
                await notices.read_one(session, actor, notice.id)
        assert await notices.unread(session, world.actors["kim"]) == 1
        await notices.read_one(session, world.actors["kim"], notice.id)
        assert await notices.unread(session, world.actors["kim"]) == 0


async def test_reading_all_leaves_what_came_since(world: World) -> None:
    async with transaction(world.maker) as session:
        for role in (Role.VIEWER, Role.RESEARCHER):
            await accounts.change_user(session, ADMIN_TOOL, "kim", role=role)
    first, second = await world.rows(Notice)
    async with transaction(world.maker) as session:
        await notices.read_all(session, world.actors["kim"], first.id)
        found = await notices.page(session, world.actors["kim"], 1, 10, only_unread=True)
    assert [notice.id for notice in found.items] == [second.id]


async def test_old_notices_go_with_their_deliveries(world: World) -> None:
    await with_mail(world, "kim")
    async with transaction(world.maker) as session:
        for role in (Role.VIEWER, Role.RESEARCHER):
            await accounts.change_user(session, ADMIN_TOOL, "kim", role=role)
    first, second = await world.rows(Notice)
    async with transaction(world.maker) as session:
        old = now() - timedelta(days=91)
        await session.execute(update(Notice).where(Notice.id == first.id).values(told_at=old))
    async with transaction(world.maker) as session:
        assert await notices.delete_old(session, 90) == 1
    assert [notice.id for notice in await world.rows(Notice)] == [second.id]
    assert [delivery.notice_id for delivery in await world.rows(NoticeDelivery)] == [second.id]


async def test_marks_change_with_news_and_with_reading(world: World) -> None:
    marks = notices.NoticeMarks(world.maker)
    kim = str(world.actors["kim"].user_id)
    assert await marks.read([kim, "999"]) == {kim: "0.0", "999": "0.0"}
    async with transaction(world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "kim", role=Role.VIEWER)
    told_now = await marks.read([kim])
    async with transaction(world.maker) as session:
        await notices.read_all(session, world.actors["kim"], 10**6)
    assert len({"0.0", told_now[kim], (await marks.read([kim]))[kim]}) == 3


async def test_a_trial_goes_every_way_and_not_more_than_once_a_minute(world: World) -> None:
    await with_mail(world, "kim")
    async with transaction(world.maker) as session:
        await noticechoices.choose(session, world.actors["kim"], {}, 10)
        await noticechoices.try_out(session, world.actors["kim"])
    assert await ways_of(world, Kind.TRIAL) == ["email"]
    async with world.maker() as session:
        with pytest.raises(TooMany):
            await noticechoices.try_out(session, world.actors["kim"])


@pytest.mark.parametrize("url", ["http://hooks.example.org/", "https://u:p@hooks.example.org/", "nonsense"])
async def test_a_webhook_that_is_none_is_refused(world: World, url: str) -> None:
    async with world.maker() as session:
        with pytest.raises(Invalid):
            await noticechoices.set_webhook(session, world.actors["kim"], world.context.settings, url)


async def test_a_new_webhook_has_a_new_secret_and_audit_has_neither(world: World) -> None:
    async with transaction(world.maker) as session:
        url = "https://hooks.example.org/x"
        first = await noticechoices.set_webhook(session, world.actors["kim"], world.context.settings, url)
        second = await noticechoices.set_webhook(session, world.actors["kim"], world.context.settings, url)
        await noticechoices.remove_webhook(session, world.actors["kim"])
    assert first != second
    assert (await world.actions("kim"))[-3:] == ["webhook.set", "webhook.set", "webhook.remove"]
    assert all(first not in str((row.before, row.after)) for row in await world.rows(Audit))
