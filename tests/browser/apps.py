"""Apps that walks begin with, published through the services."""

from __future__ import annotations

from typing import Any

from portal.db.engine import transaction
from portal.services import apps
from portal.spec.load import load_spec
from tests.browser.seed import HUB
from tests.daemon.world import World

DESIGN = "APP-DESIGN"
NAMES = ("env-simulator", "rl-agent", "reward-calc")


def component(number: int, name: str, image: str, **resources: Any) -> dict[str, Any]:
    """One component of the library's, `CL-REF-00<number>`."""
    return {
        "component_id": f"CL-REF-00{number}",
        "name": name,
        "image": {"registry": f"{HUB}/{image}", "tag": "1.0"},
        "resources": resources,
    }


def design(version: str = "1.0.0", **changes: Any) -> dict[str, Any]:
    """What W1 builds: env-simulator, rl-agent and reward-calc one after another, all under the threshold."""
    components = [
        component(1, "env-simulator", "env-sim", gpu_type="A100", gpu_count=1, memory="32GB"),
        component(2, "rl-agent", "rl-agent", gpu_type="A100", gpu_count=2, memory="64GB"),
        component(3, "reward-calc", "reward-calc", memory="16GB", cpus=4),
    ]
    task = {
        "task_id": "TASK-001",
        "name": "parameter-optimization",
        "components": components,
        "workflow": [{"from": "CL-REF-001", "to": "CL-REF-002"}, {"from": "CL-REF-002", "to": "CL-REF-003"}],
    }
    return {"app_id": DESIGN, "name": "RL-DesignOpt-v1", "version": version, "tasks": [task], **changes}


def preprocessor(version: str = "1.0.0", memory: str = "32GB") -> dict[str, Any]:
    """What W2 imports."""
    loader = component(5, "data-loader", "data-loader", gpu_type="V100", gpu_count=1, memory=memory)
    task = {"task_id": "TASK-001", "name": "data-preprocessing", "components": [loader], "workflow": []}
    env = {"NCCL_DEBUG": "WARN", "OMP_NUM_THREADS": "8"}
    return {"app_id": "APP-PREP01", "name": "PreProcessor-App", "version": version, "tasks": [task], "env_vars": env}


async def publish(world: World, who: str, spec: dict[str, Any]) -> None:
    """A ready version of it."""
    async with transaction(world.maker) as session:
        await apps.upload_spec(session, world.actors[who], load_spec(spec))
