"""Components to look at: the five of the example, one with two versions, a deprecated one, and images in several states."""

from __future__ import annotations

from dataclasses import replace

from containers.errors import ImageNotFound, RegistryUnreachable
from portal.db.engine import transaction
from portal.services import components
from portal.services.components import About, Registration
from portal.spec.library import Content, Param
from tests.daemon.world import World

HUB = "registry.avatar.io"


def _content(image: str, gpus: int = 0, memory: str = "16GB", *params: Param, tag: str = "1.0") -> Content:
    resources = {"memory": memory} | ({"gpu_type": "A100", "gpu_count": gpus} if gpus else {"cpus": 4})
    return Content(f"{HUB}/{image}", tag, resources, params)


_LIBRARY = (
    ("kim", "CL-REF-001", "env-simulator", _content("env-sim", 1, "32GB", Param("seed", "integer", 42, 0, None, "난수 시작값")),
     About("설계 변수를 받아 한 에피소드를 모의실험합니다.", "/one/in에 설계 변수 JSON이 있어야 합니다.", ("rl", "시뮬레이션"))),
    ("kim", "CL-REF-002", "rl-agent", _content("rl-agent", 2, "64GB", Param("lr", "number", 0.001, 0, 1)),
     About("PPO 정책을 학습합니다.", "", ("rl", "학습"))),
    ("park", "CL-REF-003", "reward-calc", _content("reward-calc", 0, "16GB"), About("보상을 계산합니다.", "", ("rl",))),
    ("park", "CL-REF-004", "param-opt", _content("param-opt", 1, "16GB"), About("파라미터를 최적화합니다.", "", ("최적화",))),
    ("park", "CL-REF-005", "data-loader", _content("data-loader", 0, "8GB"), About("데이터를 읽어 나눕니다.", "", ("전처리",))),
    ("kim", "CL-OLD001", "legacy-eval", _content("legacy-eval", 0, "8GB"), About("예전 평가 코드입니다.")),
    ("kim", "CL-GONE01", "draft-eval", _content("draft-eval", 0, "8GB", tag="9.9"), About("아직 올리지 않은 이미지입니다.")),
)  # fmt: skip


async def add(world: World, *names: str) -> None:
    """Register those with these names; the daemon's next round answers the image checks."""
    settings = world.context.settings
    for who, component_id, name, content, about in _LIBRARY:
        if name in names:
            wanted = Registration(name, "1.0.0", content, about, component_id=component_id)
            async with transaction(world.maker) as session:
                await components.register(session, world.actors[who], settings, wanted)
    await world.round()


async def fill(world: World) -> None:
    """Register all of them, with images in several states."""
    world.registry.trouble[f"{HUB}/draft-eval:9.9"] = ImageNotFound(f"{HUB}/draft-eval:9.9", "no such tag")
    world.registry.trouble[f"{HUB}/legacy-eval:1.0"] = RegistryUnreachable(f"{HUB}/legacy-eval:1.0", "no answer")
    settings = world.context.settings
    await add(world, *(name for _, _, name, _, _ in _LIBRARY))
    agent = _LIBRARY[1][3]
    newer = replace(agent, tag="2.0", resources={**agent.resources, "memory": "96GB"})
    async with transaction(world.maker) as session:
        actor = world.actors["kim"]
        note = "메모리를 늘리고 정책을 고칠 수 있게 했습니다."
        await components.new_version(session, actor, settings, "CL-REF-002", version="1.1.0", content=newer, note=note)
        await components.deprecate(session, actor, "CL-OLD001")
    await world.round()
