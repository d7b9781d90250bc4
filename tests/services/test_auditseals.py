"""The sealed audit log: what is done to it behind the portal's back is found and named, and expiry leaves the chain whole.

On SQLite here; tests/lab/test_postgres.py runs the same on PostgreSQL.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from portal.daemon import auditing
from portal.db.engine import transaction
from portal.db.models import Audit, AuditCheck, AuditSeal, AuditSealRow, now
from portal.domain.auditchain import FIRST_PREVIOUS, LATE, Keeping, Seal, members_sha256, next_seal
from portal.domain.auditfindings import Code
from portal.services import auditchecks, auditexpiry, auditseals, auditverify
from portal.services.audit import Action, record
from portal.services.auditseals import member_of, sealed_member
from portal.services.errors import Forbidden
from tests.daemon.world import ADMIN_TOOL, World

pytestmark = pytest.mark.anyio
GUARDED = ("audit", "audit_seals", "audit_seal_rows")


async def write(world: World, *names: str) -> list[int]:
    """Rows of the log about these objects; their ids."""
    async with transaction(world.maker) as session:
        for name in names:
            record(session, ADMIN_TOOL, Action.USER_CHANGE, "user", name, before={"n": 1.0}, after={"n": 2})
    async with world.maker() as session:
        found = select(Audit.id).where(Audit.object_id.in_(names)).order_by(Audit.id)
        return list(await session.scalars(found))


async def seal(world: World) -> Seal:
    async with transaction(world.maker) as session:
        sealed = await auditseals.seal_next(session)
    assert sealed is not None
    return sealed


async def verified(world: World) -> auditverify.Verified:
    return await auditverify.verify(world.maker, world.store)  # type: ignore[arg-type]


async def wrong(world: World) -> list[tuple[str, int | None]]:
    """Code and row or seal of everything that is found."""
    return [(one.code.value, one.row or one.seal) for one in (await verified(world)).findings]


async def behind_the_back(world: World, *statements: Any) -> None:
    """As somebody who owns the database and takes the guards off first."""
    async with transaction(world.maker) as session:
        sqlite = session.get_bind().dialect.name == "sqlite"
        for table in GUARDED:
            if sqlite:
                for verb in ("update", "delete"):
                    await session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{verb}"))
            else:
                await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            await session.execute(statement)


async def test_what_was_written_is_sealed_once_and_verifies(world: World) -> None:
    assert (await verified(world)).as_json()["intact"], "an empty chain is a whole one"
    rows = await write(world, "a", "b", "c")
    first = await seal(world)
    assert (first.number, first.previous) == (1, FIRST_PREVIOUS)
    async with transaction(world.maker) as session:
        assert await auditseals.seal_next(session) is None, "nothing waits"
    await write(world, "d")
    second = await seal(world)
    assert (second.rows, second.previous) == (1, first.head)
    found = await verified(world)
    assert (found.findings, found.seals, found.head, found.unsealed) == ([], 2, second.head, 0)
    assert found.rows == await count(world, Audit) >= len(rows) + 1


async def count(world: World, table: Any) -> int:
    async with world.maker() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_the_database_refuses_to_change_or_delete(world: World) -> None:
    await write(world, "a")
    await seal(world)
    for statement in (
        update(Audit).values(actor="nobody"),
        delete(Audit),
        update(AuditSeal).values(head="0" * 64),
        delete(AuditSeal),
        update(AuditSealRow).values(sha256="0" * 64),
        delete(AuditSealRow),
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            async with transaction(world.maker) as session:
                await session.execute(statement)
    assert (await verified(world)).intact


async def test_every_column_of_a_row_is_watched(world: World) -> None:
    (row, *_) = await write(world, "a")
    await seal(world)
    changes: dict[str, Any] = {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "actor_id": 1,
        "actor": "boss",
        "action": "user.create",
        "object_type": "app",
        "object_id": "b",
        "before": {"n": 3},
        "after": None,
        "address": "10.0.0.1",
        "request_id": "r",
        "result": "refused",
        "backend": "scontrol",
    }
    assert set(changes) | {"id"} == {column.key for column in Audit.__table__.columns}
    for name, value in changes.items():
        async with world.maker() as session:
            was = getattr(await session.get_one(Audit, row), name)
        await behind_the_back(world, update(Audit).where(Audit.id == row).values({name: value}))
        assert await wrong(world) == [("row_changed", row)], name
        await behind_the_back(world, update(Audit).where(Audit.id == row).values({name: was}))
        assert await wrong(world) == [], name


async def test_a_deleted_row_is_named(world: World) -> None:
    rows = await write(world, "a", "b", "c")
    await seal(world)
    await behind_the_back(world, delete(Audit).where(Audit.id == rows[1]))
    assert await wrong(world) == [("row_missing", rows[1])]
    await behind_the_back(world, delete(AuditSealRow).where(AuditSealRow.row_id == rows[1]))
    assert await wrong(world) == [("list_changed", 1)], "without its entry the list is not the sealed one"


async def test_an_inserted_row_is_named(world: World) -> None:
    await write(world, "a")
    await seal(world)
    forged = insert(Audit).values(
        id=10_000, at=now() - 2 * LATE, actor="boss", action="user.change", object_type="user", object_id="x",
        address="", request_id="", result="ok", backend="",
    )  # fmt: skip
    await behind_the_back(world, forged)
    assert await wrong(world) == [("row_inserted", 10_000)]
    await write(world, "b")
    await seal(world)
    assert await wrong(world) == [("row_inserted", 10_000)], "no later seal takes it in"
    into_the_list = insert(AuditSealRow).values(row_id=10_000, seal=1, at=now(), keeping="changes", sha256="0" * 64)
    await behind_the_back(world, into_the_list)
    assert ("list_changed", 1) in await wrong(world)


async def test_two_rows_that_were_swapped_are_both_named(world: World) -> None:
    one, other = await write(world, "a", "b")
    await seal(world)
    await behind_the_back(
        world,
        update(Audit).where(Audit.id == one).values(id=-1),
        update(Audit).where(Audit.id == other).values(id=one),
        update(Audit).where(Audit.id == -1).values(id=other),
    )
    assert await wrong(world) == [("row_changed", one), ("row_changed", other)]


async def test_a_seal_that_was_changed_or_taken_is_named(world: World) -> None:
    for name in ("a", "b", "c"):
        await write(world, name)
        await seal(world)
    await behind_the_back(world, update(AuditSeal).where(AuditSeal.number == 2).values(closes_at=now()))
    assert await wrong(world) == [("seal_changed", 2)]
    await behind_the_back(
        world,
        delete(AuditSealRow).where(AuditSealRow.seal == 2),
        delete(AuditSeal).where(AuditSeal.number == 2),
    )
    assert ("seal_missing", 2) in await wrong(world)


async def test_a_tail_that_was_cut_with_its_seals_is_found_by_the_head_in_s3(world: World) -> None:
    await write(world, "a")
    await seal(world)
    rows = await write(world, "b", "c")
    assert await auditseals.write_head(world.store, await seal(world))  # type: ignore[arg-type]
    assert (await verified(world)).heads == 1
    await behind_the_back(
        world,
        delete(AuditSealRow).where(AuditSealRow.seal == 2),
        delete(AuditSeal).where(AuditSeal.number == 2),
        delete(Audit).where(Audit.id.in_(rows)),
    )
    assert await wrong(world) == [("chain_cut", 2)]


async def test_a_chain_rewritten_from_end_to_end_is_found_by_the_head_in_s3(world: World) -> None:
    rows = await write(world, "a", "b")
    await auditseals.write_head(world.store, await seal(world))  # type: ignore[arg-type]
    await write(world, "c")
    await seal(world)
    await behind_the_back(world, update(Audit).where(Audit.id == rows[0]).values(actor="somebody else"))
    await rewrite(world)
    assert await wrong(world) == [("chain_rewritten", 1)]
    world.store.objects.clear()
    assert await wrong(world) == [], "the chain alone is consistent: only the head elsewhere tells"


async def rewrite(world: World) -> None:
    """What somebody does who knows how seals are made: lists, digests and heads all fit again."""
    previous = FIRST_PREVIOUS
    async with world.maker() as session:
        seals = list(await session.scalars(select(AuditSeal).order_by(AuditSeal.number)))
        rows = {row.id: row for row in await session.scalars(select(Audit))}
        lists = list(await session.scalars(select(AuditSealRow).order_by(AuditSealRow.row_id)))
    for entry in lists:
        entry.sha256 = member_of(rows[entry.row_id]).sha256
        change = update(AuditSealRow).where(AuditSealRow.row_id == entry.row_id)
        await behind_the_back(world, change.values(sha256=entry.sha256))
    for row in seals:
        own = [sealed_member(entry) for entry in lists if entry.seal == row.number]
        row.rows_sha256, row.previous = members_sha256(own), previous
        previous = auditseals.seal_of(row).head
        facts = {"rows_sha256": row.rows_sha256, "previous": row.previous, "head": previous}
        await behind_the_back(world, update(AuditSeal).where(AuditSeal.number == row.number).values(facts))


async def test_gaps_and_rows_that_come_late_with_low_ids_are_sealed(world: World) -> None:
    await write(world, "a")
    async with transaction(world.maker) as session:
        top = await session.scalar(select(func.max(Audit.id))) or 0
        session.add(Audit(id=top + 10, at=now(), actor="x", action="user.change", object_type="user", object_id="gap"))
    await seal(world)
    async with transaction(world.maker) as session:  # its transaction was open while the seal was made
        late = now() - timedelta(minutes=30)
        session.add(Audit(id=top + 5, at=late, actor="x", action="user.change", object_type="user", object_id="late"))
    assert (await seal(world)).rows == 1
    assert (await verified(world)).intact


async def test_a_large_backlog_is_sealed_in_batches_and_stays_open_until_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditseals, "BATCH", 4)
    monkeypatch.setattr(auditverify, "ROWS_AT_ONCE", 5)
    async with transaction(world.maker) as session:
        for number in range(10):
            at = now() - timedelta(days=number)
            session.add(Audit(at=at, actor="x", action="user.change", object_type="user", object_id=f"old-{number}"))
    made = await auditseals.seal_due(world.maker)
    assert made is not None
    assert (made.closes_at is not None, made.number > 2) == (True, True)
    async with world.maker() as session:
        assert [row.closes_at for row in await session.scalars(select(AuditSeal).order_by(AuditSeal.number))][:2] == [
            None,
            None,
        ]
    assert (await verified(world)).intact
    assert await auditseals.seal_due(world.maker) is None, "the next one is not due"


async def test_the_daemon_seals_writes_a_head_a_day_and_verifies(world: World) -> None:
    start = now()
    with time_machine.travel(start, tick=False) as clock:
        for day in range(3):
            await write(world, f"day-{day}")
            await auditing.keep_log(world.context)
            clock.shift(timedelta(minutes=10))
            await write(world, f"day-{day}-again")
            await auditing.keep_log(world.context)
            clock.shift(timedelta(days=1))
    keys = [key for bucket, key in world.store.objects if key.startswith("audit/")]
    assert len(keys) == len(set(keys)) in (3, 4)  # four where midnight lies between
    checks = await world.rows(AuditCheck)
    assert [(check.state, (check.found or {})["intact"]) for check in checks] == [("done", True)] * 3
    world.store.objects.clear()
    assert [code for code, _ in await wrong(world)] == ["heads_missing"]


async def test_without_s3_sealing_goes_on_and_a_verification_says_what_it_could_not_compare(world: World) -> None:
    await write(world, "a")
    world.store.down = True
    async with transaction(world.maker) as session:
        await auditseals.seal_next(session)
    assert [code for code, _ in await wrong(world)] == [Code.HEADS_NOT_COMPARED]


async def aged(world: World, days: int, *actions: Action) -> None:
    """Rows as they were written that many days ago, and sealed then."""
    with time_machine.travel(now() - timedelta(days=days), tick=False):
        async with transaction(world.maker) as session:
            for action in actions:
                record(session, ADMIN_TOOL, action, "user", f"{action}-{days}")
            await session.flush()
            rows = list(await session.scalars(auditseals.without_seal().where(Audit.at <= now())))
            last = await auditseals.newest(session)
            seal, members = next_seal(last, map(member_of, rows), now(), all_of_them=True)
            session.add(AuditSeal(**vars(seal), head=seal.head))
            await session.flush()
            for one in members:
                session.add(AuditSealRow(seal=seal.number, **vars(one)))


async def test_expiry_takes_each_class_at_its_time_and_the_chain_stays_whole(world: World) -> None:
    await aged(world, 1500, Action.USER_CHANGE, Action.SIGN_IN)
    await aged(world, 400, Action.USER_CHANGE, Action.SIGN_IN, Action.JOB_SUBMIT)
    await auditseals.write_head(world.store, await seal(world))  # type: ignore[arg-type]
    settings = world.context.settings
    async with transaction(world.maker) as session:
        told = {one.keeping: one.rows for one in await auditexpiry.expired(session, settings)}
        assert told == {Keeping.CHANGES: 1, Keeping.RUNS: 0, Keeping.ACCESS: 2}
    before = await count(world, Audit)
    async with transaction(world.maker) as session:
        await auditexpiry.expire(session, ADMIN_TOOL, settings)
    assert await count(world, Audit) == before - 3 + 1
    found = await verified(world)
    assert (found.findings, found.expired) == ([], 3)
    async with world.maker() as session:
        assert await session.scalar(select(func.count()).where(AuditSealRow.seal == 1)) == 0, "its digest stands for it"
        assert await session.scalar(select(func.count()).where(AuditSealRow.seal == 2)) == 3
        kept = list(await session.scalars(select(Audit.object_id).where(Audit.at < now() - timedelta(days=100))))
    assert sorted(kept) == ["job.submit-400", "user.change-400"]
    async with transaction(world.maker) as session:
        assert not any(one.rows for one in await auditexpiry.expire(session, ADMIN_TOOL, settings)), "again is fine"
    assert [row.action for row in await world.rows(Audit)].count("audit.expire") == 1


async def test_the_daemon_takes_what_has_expired_once_a_day_and_nothing_of_a_log_that_is_not_intact(
    world: World,
) -> None:
    await aged(world, 1500, Action.USER_CHANGE, Action.SIGN_IN)
    await aged(world, 400, Action.SIGN_IN)
    world.store.objects.clear()
    await behind_the_back(world, update(Audit).where(Audit.object_id == "session.begin-400").values(actor="other"))
    old = select(func.count()).select_from(Audit).where(Audit.at < now() - timedelta(days=100))
    start = now()
    with time_machine.travel(start, tick=False) as clock:
        await auditing.keep_log(world.context)
        async with world.maker() as session:
            assert await session.scalar(old) == 3, "evidence stays"
        await behind_the_back(
            world, update(Audit).where(Audit.object_id == "session.begin-400").values(actor="portal-admin")
        )
        async with transaction(world.maker) as session:
            await auditchecks.ask(session, world.actors["admin"])
        await auditing.keep_log(world.context)
        async with world.maker() as session:
            assert await session.scalar(old) == 3, "a verification that somebody asked for takes nothing"
        clock.shift(timedelta(days=1))
        await auditing.keep_log(world.context)
    async with world.maker() as session:
        assert await session.scalar(old) == 0
    (told,) = [row for row in await world.rows(Audit) if row.action == Action.AUDIT_EXPIRE]
    assert (told.actor, {name: one["rows"] for name, one in told.after.items()}) == (
        "daemon",
        {"changes": 1, "runs": 0, "access": 2},
    )
    assert (await verified(world)).intact


async def test_a_deletion_that_calls_itself_an_expiry_is_found(world: World) -> None:
    rows = await write(world, "a")
    await seal(world)
    soon = (now() + timedelta(days=1)).isoformat()
    async with transaction(world.maker) as session:
        record(session, ADMIN_TOOL, Action.AUDIT_EXPIRE, "audit", "log", after={"changes": {"before": soon, "rows": 1}})
        record(session, ADMIN_TOOL, Action.AUDIT_EXPIRE, "audit", "log", after={"no class": 1})
    await behind_the_back(world, delete(Audit).where(Audit.id == rows[0]))
    assert await wrong(world) == [("row_missing", rows[0])]


async def test_only_who_may_read_the_log_asks_for_its_verification(world: World) -> None:
    async with transaction(world.maker) as session:
        with pytest.raises(Forbidden):
            await auditchecks.ask(session, world.actors["kim"])
        first = await auditchecks.ask(session, world.actors["admin"])
        assert (await auditchecks.ask(session, world.actors["admin"])).id == first.id, "one that waits is enough"
        assert (await auditchecks.state(session, world.actors["admin"])).under_way
    await auditing.keep_log(world.context)
    async with world.maker() as session:
        state = await auditchecks.state(session, world.actors["admin"])
    assert state.check is not None
    assert (state.check.id, state.under_way, state.waiting) == (first.id, False, 0)
    assert Keeping.EVER not in auditexpiry.cutoffs(world.context.settings, now())
