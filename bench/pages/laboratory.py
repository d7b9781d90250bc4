"""A laboratory of the benchmark's sizes: a few workloads taken down the road, then copied by the thousand, row by row."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.context import Context
from portal.daemon.sampling import sample
from portal.db.engine import engine_for, migrate, sessions, transaction
from portal.db.models import App, AppVersion, Attempt, Base, Event, Model, SlurmJob, User, Workload
from portal.services import passwords
from portal.settings import Database, Images, Limits, Settings, Slurm, Storage
from slurm.fake import FakeSlurm
from slurm.records import JobRecord, Snapshot
from tests.daemon.world import Conversions, Registry, World, own_uid, people
from tests.store.memory import MemoryStore

PASSWORD = "correct-horse-1"
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests" / "spec" / "data" / "app-spec-example.json"
MANY = 100_000
_AT_ONCE = 500
_FIRST_ID = 10_000_000
_SHARES = {"completed": 0.92, "queued": 0.05, "awaiting_approval": 0.03}
"""Of the copied runs; the few that run are those that the simulated cluster has room for."""


class CountingSlurm(FakeSlurm):
    """The fake Slurm that counts what it is asked, with a crowd of waiting jobs from outside that it shows in every snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.crowd: list[JobRecord] = []

    async def snapshot(self) -> Snapshot:
        """With the crowd, of which one in a hundred has another priority each time."""
        self.asked += 1
        taken = await super().snapshot()
        turn = self.asked % 100
        self.crowd[turn::100] = [replace(job, priority=job.priority + 1) for job in self.crowd[turn::100]]
        return replace(taken, jobs=(*taken.jobs, *self.crowd))

    async def version(self) -> Any:
        """Counted."""
        self.asked += 1
        return await super().version()

    async def accounting(self, job_ids: Sequence[int]) -> Any:
        """Counted."""
        self.asked += 1
        return await super().accounting(job_ids)


@dataclass
class Laboratory:
    """The world behind the portal, and one run of each state to copy."""

    world: World
    settings: Settings
    slurm: CountingSlurm
    templates: Mapping[str, str]
    runs: int = 0
    apps: int = 0

    async def grow(self, runs: int, apps: int) -> None:
        """Copy until there are so many of both."""
        async with transaction(self.world.maker) as session:
            await _apps(session, self.apps, apps)
            self.apps = max(self.apps, apps)
            made = max(runs - self.runs, 0)
            first = self.runs
            for state, share in _SHARES.items():
                count = round(made * share)
                await _runs(session, self.templates[state], first, count, max(apps, 1))
                first += count
            self.runs = max(self.runs, runs)
        # What autovacuum does in the hour after so many rows came; it would be doing it while the pages are timed.
        async with self.world.maker.kw["bind"].connect() as connection:
            settled = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await settled.execute(text("VACUUM (ANALYZE)"))
            await settled.execute(text("CHECKPOINT"))


def settings_in(folder: Path, url: str) -> Settings:
    """A site below `folder`, without limits on one person's requests."""
    for name in ("runs/.out", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Settings(
        database=Database(url=url),
        storage=Storage(runs=folder / "runs", images=folder / "images", roots=(Path("/training-data"),)),
        images=Images(registries=("registry.avatar.io",)),
        slurm=Slurm(gpu_labels={"tesla_v100": "V100"}, fake_gpus=True),
        limits=Limits(api_calls_per_minute=MANY, live_pages=MANY, log_streams=MANY, pending_workloads=MANY),
    )


async def build(settings: Settings) -> Laboratory:
    """People, one run of every state, a sample of the trends."""
    await migrate(settings)
    slurm, store, registry = CountingSlurm(), MemoryStore(), Registry()
    conversions = Conversions(settings.storage.images)
    context = Context(settings, sessions(engine_for(settings)), slurm, store, registry.resolve, conversions, own_uid)  # type: ignore[arg-type]
    world = World(context, slurm, store, registry, conversions, await people(context.sessions))
    async with transaction(world.maker) as session:
        for user in await session.scalars(select(User)):
            await passwords.put(user, PASSWORD, temporary=False)
    templates = await _templates(world)
    await sample(context)
    return Laboratory(world, settings, slurm, templates)


async def _templates(world: World) -> dict[str, str]:
    done = await world.submit(_spec("APP-TEMPLATE", 1))
    for _ in range(3):
        await world.round()
    await world.play(done, rewards=[60.0, 70.0, 80.0])
    for _ in range(3):
        await world.round()
    await world.submit(_spec("APP-RUNS", 1))
    for _ in range(3):
        await world.round()
    world.cluster.drained.update(dict.fromkeys((node.name for node in world.cluster.nodes), "bench"))
    queued = await world.submit(_spec("APP-WAITS", 1))
    gated = await world.submit(_spec("APP-GATED", 4))
    for _ in range(4):
        await world.round()
    return {"completed": done, "queued": queued, "awaiting_approval": gated}


def _spec(app_id: str, gpus: int) -> dict[str, Any]:
    spec: dict[str, Any] = copy.deepcopy(json.loads(EXAMPLE.read_text()))
    spec["app_id"] = app_id
    for component in spec["tasks"][0]["components"]:
        component["resources"].update(gpu_count=gpus, memory="16GB" if gpus == 1 else "128GB")
    return spec


def large_app(components: int) -> dict[str, Any]:
    """An App of one Task with so many components, all beside each other."""
    spec = _spec(f"APP-LARGE{components}", 1)
    (task, *_rest) = spec["tasks"]
    (like, *_more) = task["components"]
    ids = [f"CL-{number:04d}" for number in range(components)]
    task["components"] = [{**like, "component_id": one, "name": f"part-{number}"} for number, one in enumerate(ids)]
    task["workflow"] = []
    return {**spec, "tasks": [task]}


async def _row(session: AsyncSession, kind: type[Base], *where: Any) -> list[dict[str, Any]]:
    """The rows as columns, ready to be written again."""
    table = kind.__table__
    return [dict(row) for row in (await session.execute(select(table).where(*where))).mappings()]


async def _write(session: AsyncSession, kind: type[Base], rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        await session.execute(insert(kind.__table__), rows[start : start + _AT_ONCE])  # type: ignore[arg-type]


async def _apps(session: AsyncSession, first: int, last: int) -> None:
    (app,) = await _row(session, App, App.id == "APP-TEMPLATE")
    versions = await _row(session, AppVersion, AppVersion.app_id == "APP-TEMPLATE")
    numbers = range(first, last)
    await _write(session, App, [{**app, "id": f"APP-B{n:05d}", "name": f"Bench-{n}"} for n in numbers])
    copies = [
        {**one, "id": _FIRST_ID + n * len(versions) + k, "app_id": f"APP-B{n:05d}"}
        for n in numbers
        for k, one in enumerate(versions)
    ]
    await _write(session, AppVersion, copies)


async def _runs(session: AsyncSession, template: str, first: int, count: int, apps: int) -> None:
    """`count` copies of a run with all that belongs to it, an hour apart, numbered from `first`."""
    (run,) = await _row(session, Workload, Workload.id == template)
    attempts = await _row(session, Attempt, Attempt.workload_id == template)
    jobs = [row for one in attempts for row in await _row(session, SlurmJob, SlurmJob.attempt_id == one["id"])]
    events = await _row(session, Event, Event.workload_id == template)
    models = await _row(session, Model, Model.workload_id == template)
    made: dict[type[Base], list[dict[str, Any]]] = {kind: [] for kind in (Workload, Attempt, SlurmJob, Event, Model)}
    for n in range(first, first + count):
        new, base = f"W-B{n:06d}", _FIRST_ID + n * 100
        back = timedelta(minutes=n)
        app_id = f"APP-B{n % apps:05d}"
        made[Workload].append(
            {
                **run,
                "id": new,
                "name": f"run-{n}",
                "app_id": app_id,
                "idempotency_key": None,
                "queue_rank": run["queue_rank"] + n,
                "submitted_at": run["submitted_at"] - back,
            }
        )
        ids = {one["id"]: base + k for k, one in enumerate(attempts)}
        made[Attempt] += [{**one, "id": ids[one["id"]], "workload_id": new} for one in attempts]
        made[SlurmJob] += [
            {
                **one,
                "id": base + k,
                "attempt_id": ids[one["attempt_id"]],
                "nonce": f"{base + k:032d}",
                "leader_id": base + k if one["leader_id"] else None,
                "component_ids": [base + k] if one["leader_id"] else [],
                "slurm_priority": one["slurm_priority"] and one["slurm_priority"] - n,
            }
            for k, one in enumerate(jobs)
        ]
        made[Event] += [{**one, "id": base + k, "workload_id": new} for k, one in enumerate(events)]
        made[Model] += [
            {**one, "id": base + k, "workload_id": new, "app_id": app_id, "version": n + 1}
            for k, one in enumerate(models)
        ]
    for kind, rows in made.items():
        await _write(session, kind, rows)


def crowd(like: JobRecord, count: int) -> list[JobRecord]:
    """Waiting jobs from outside, more and less urgent than the portal's own."""
    return [
        replace(
            like,
            job_id=20_000_000 + n,
            leader_id=20_000_000 + n,
            het_offset=None,
            name=f"sbatch-{n}",
            user=f"user{n % 40}",
            comment="",
            state="PENDING",
            priority=max(like.priority + (n - count // 2), 1),
            submitted_at=1_700_000_000 + n,
        )
        for n in range(count)
    ]
