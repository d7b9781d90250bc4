"""python -m bench.simulated.portal COUNT: that many workloads from POST's use case to completed, in one process."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
import structlog

from bench.simulated import resident_mib
from portal.daemon.context import Context
from portal.db.engine import engine_for, migrate, sessions
from portal.services import workloads
from portal.settings import Database, Images, Settings, Slurm, Storage
from slurm.fake import FakeSlurm
from tests.daemon.world import Conversions, Registry, World, own_uid, people
from tests.store.memory import MemoryStore

SAMPLES = 50
TOGETHER = 16
PATIENCE = 20
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests" / "spec" / "data" / "app-spec-example.json"


class Forgetful(MemoryStore):
    """S3 whose objects are taken and not kept."""

    async def put_bytes(self, bucket: str, key: str, data: bytes, content_type: str = "") -> None:
        """Gone."""


async def main() -> None:
    """Run them in small crowds, and print the samples as one JSON line."""
    structlog.configure(processors=[_dropped])
    count, samples = int(sys.argv[1]), list[float]()
    with tempfile.TemporaryDirectory() as name:
        world, engine = await _world(Path(name))
        spec = _small()
        for number in range(0, count, TOGETHER):
            await _crowd(world, spec)
            if number % max(TOGETHER, count // SAMPLES // TOGETHER * TOGETHER) == 0:
                samples.append(resident_mib())
        await engine.dispose()
    print(json.dumps(samples))


async def _crowd(world: World, spec: dict[str, Any]) -> None:
    waiting = {await world.submit(spec) for _ in range(TOGETHER)}
    for _ in range(PATIENCE):
        await world.round()
        for workload_id in sorted(waiting):
            state = (await world.workload(workload_id)).state
            if state == "running":
                await world.play(workload_id, model=False)
            elif state == "completed":
                waiting.remove(workload_id)
                await _looked_at(world, workload_id)
        if not waiting:
            ended = [job_id for job_id, job in world.cluster.jobs.items() if not job.live]
            for job_id in ended:  # as slurmctld forgets, after MinJobAge
                del world.cluster.jobs[job_id]
            world.slurm.submissions.clear()
            return
    raise RuntimeError(f"not completed: {sorted(waiting)}")


async def _looked_at(world: World, workload_id: str) -> None:
    """What a page would ask for."""
    async with world.maker() as session:
        await workloads.get(session, world.actors["kim"], workload_id)
        await workloads.events(session, world.actors["kim"], workload_id)
        await workloads.page(session, world.actors["kim"], workloads.WorkloadFilter(), 1, 50)


def _small() -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(EXAMPLE.read_text())
    spec["app_id"] = "APP-BENCH01"
    for component in spec["tasks"][0]["components"]:
        component["resources"].update(gpu_count=0, memory="1GB")
        component["resources"].pop("gpu_type", None)
    return spec


async def _world(folder: Path) -> tuple[World, Any]:
    settings = Settings(
        database=Database(url=f"sqlite+aiosqlite:///{folder}/one.db"),
        storage=Storage(runs=folder / "runs", images=folder / "images", roots=(Path("/training-data"),)),
        images=Images(registries=("registry.avatar.io",)),
        slurm=Slurm(gpu_labels={"tesla_v100": "V100"}),
    )
    for name in ("runs/.out", "images"):
        (folder / name).mkdir(parents=True)
    await migrate(settings)
    engine = engine_for(settings)
    slurm, store, registry, conversions = FakeSlurm(), Forgetful(), Registry(), Conversions(folder / "images")
    context = Context(
        settings=settings,
        sessions=sessions(engine),
        slurm=slurm,
        store=store,  # type: ignore[arg-type]
        resolve_image=registry.resolve,
        converter=conversions,
        uid_of=own_uid,
    )
    world = World(context, slurm, store, registry, conversions, await people(context.sessions))
    await world.round()
    return world, engine


def _dropped(*_: object) -> structlog.types.EventDict:
    raise structlog.DropEvent


if __name__ == "__main__":
    anyio.run(main)
