"""A laboratory at work to look at: people with known passwords, Apps, and a workload in every state, on the fake Slurm."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from portal.daemon.context import Context
from portal.db.engine import engine_for, migrate, sessions, transaction
from portal.services import accounts, approvals, passwords
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.settings import Database, Images, Operators, Settings, Storage, Web
from portal.settings import Slurm as SlurmSettings
from slurm.fake import FakeSlurm
from tests.browser import library, queue_scene, resources_scene, scene_analyses, scene_models
from tests.browser.house import furnish
from tests.daemon.world import ADMIN_TOOL, Conversions, Registry, World, own_uid
from tests.store.memory import MemoryStore

PASSWORD = "correct-horse-1"
"""Of everybody in the scene."""
SPEC = Path(__file__).parents[1] / "spec" / "data" / "app-spec-example.json"
RISING = [60.0, 64.5, 66.0, 70.2, 73.1, 75.0, 79.4, 81.2, 84.9, 88.3]
_PEOPLE = {
    "admin": ("관리자", Role.ADMIN, "admin@lab.example"),
    "boss": ("한관리", Role.ADMIN, "boss@lab.example"),
    "kim": ("김연구원", Role.RESEARCHER, "kim@lab.example"),
    "park": ("박연구원", Role.RESEARCHER, "park@lab.example"),
    "choi": ("최신입", Role.RESEARCHER, "choi@lab.example"),
    "viewer": ("뷰어", Role.VIEWER, ""),
    "jung": ("정퇴사", Role.RESEARCHER, "jung@lab.example"),
}


def settings_in(folder: Path, port: int = 0) -> Settings:
    """A site below `folder`, on SQLite."""
    for name in ("runs/.out", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Settings(
        database=Database(url=f"sqlite+aiosqlite:///{folder}/one.db"),
        storage=Storage(runs=folder / "runs", images=folder / "images", roots=(Path("/training-data"),)),
        images=Images(registries=("registry.avatar.io",)),
        operators=Operators(image="registry.avatar.io/operator-python:1.0"),
        slurm=SlurmSettings(gpu_labels={"tesla_v100": "V100"}, fake_gpus=True),
        web=Web(port=port, public_url=f"http://127.0.0.1:{port}"),
    )


async def build(settings: Settings) -> World:
    """Make the scene from nothing; the world goes on as the test or the developer turns it."""
    await migrate(settings)
    slurm, store, registry = FakeSlurm(), MemoryStore(), Registry()
    conversions = Conversions(settings.storage.images)
    maker = sessions(engine_for(settings))
    context = Context(settings, maker, slurm, store, registry.resolve, conversions, own_uid)  # type: ignore[arg-type]
    world = World(context, slurm, store, registry, conversions, await people(context))
    await world.round()
    await _workloads(world)
    await library.fill(world)
    await furnish(world)
    return world


async def people(context: Context) -> dict[str, Actor]:
    """Everybody of the scene, with the same password; jung has left."""
    actors = {}
    for username, (name, role, email) in _PEOPLE.items():
        mapped = username if role is Role.RESEARCHER and username != "choi" else None
        async with transaction(context.sessions) as session:
            user = await accounts.create_user(
                session,
                ADMIN_TOOL,
                username=username,
                display_name=name,
                role=role,
                email=email,
                unix_user=mapped,
                slurm_account="lab" if mapped else None,
            )
            await passwords.put(user, PASSWORD, temporary=False)
            actors[username] = Actor(username, user.id, role.value)
    async with transaction(context.sessions) as session:
        await accounts.deactivate(session, ADMIN_TOOL, "jung")
    return actors


async def _workloads(world: World) -> None:
    """In the order in which they were asked for; ended ones first, so that the running ones have the GPUs."""
    done = await world.submit(_app("APP-DESIGN", "RL-DesignOpt-v1", gpus=1, memory="16GB"), name="RL-DesignOpt-v1-v1")
    await _run(world, done, rewards=RISING)
    again = await world.submit(_app("APP-DESIGN", "RL-DesignOpt-v1", gpus=1, memory="16GB"), name="RL-DesignOpt-v1-v2")
    await _run(world, again, rewards=[*RISING, 91.7])
    await scene_models.add(world, _app, _run)
    await scene_analyses.lay(world, _run)
    failed = await world.submit(_app("APP-RESNET", "ResNet-Exp-42", gpus=1, memory="32GB"), who="park")
    await _run(world, failed, fail="TASK-001/CL-REF-002")
    cancelled = await world.submit(_app("APP-SWEEP1", "Surrogate-Sweep-03", gpus=1, memory="16GB"), who="park")
    await world.cancel(cancelled, who="park", reason="설정을 잘못 골랐습니다")
    await world.round()

    large = _app("APP-LLMKO1", "LLM-FineTune-KO", gpus=8, memory="160GB")
    passed = await world.submit(large, who="park", name="LLM-FineTune-KO-v1")
    await world.round()
    test = await world.start_test(passed, who="park", episodes=10)
    await _run(world, test, rewards=RISING)
    await world.approve(passed)
    rejected = await world.submit(
        _app("APP-HUGE01", "DataPrep-Batch", gpus=6, memory="128GB"), name="DataPrep-Batch-v1"
    )
    await world.round()
    async with transaction(world.maker) as session:
        await approvals.reject(session, world.actors["admin"], rejected, "자원 과다: GPU 4기로 다시 요청하세요")
    await world.submit(_app("APP-GATE01", "Policy-Eval", gpus=4, memory="128GB"), name="Policy-Eval-v3")
    await world.submit(
        _app("APP-GATE02", "Vision-Distill", gpus=4, memory="64GB"), who="park", name="Vision-Distill-v1"
    )
    await world.round()
    await world.round()
    for number in range(1, 6):
        who = "kim" if number % 2 else "park"
        await world.submit(_app(f"APP-WAIT0{number}", f"Nightly-{number}", gpus=3, memory="96GB"), who=who)
    for _ in range(3):
        await world.round()
    await queue_scene.lay(world)
    await resources_scene.lay(world)


async def _run(world: World, workload_id: str, files: dict[str, bytes] | None = None, **played: Any) -> None:
    """From the queue to its end; `files` is the model that it leaves."""
    for _ in range(3):
        await world.round()
    scene_models.write_files((await world.workload(workload_id)).attempts[-1].run_dir, files or {})
    await world.play(workload_id, model=not files, **played)
    for _ in range(3):
        await world.round()


def _app(app_id: str, name: str, *, gpus: int, memory: str) -> dict[str, Any]:
    spec: dict[str, Any] = copy.deepcopy(json.loads(SPEC.read_text()))
    spec.update(app_id=app_id, name=name)
    for component in spec["tasks"][0]["components"]:
        component["resources"].update(gpu_count=gpus, memory=memory)
    return spec
