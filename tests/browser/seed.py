"""Where every walk begins: the people, an idle cluster of 16 A100 and 8 V100, the registry's images; nothing has happened yet."""

from __future__ import annotations

import time
from dataclasses import dataclass

from containers.errors import ImageNotFound
from portal.daemon.context import Context
from portal.db.engine import engine_for, migrate, sessions
from portal.settings import Settings
from slurm.fake import FakeSlurm
from slurm.fake.cluster import lab_cluster
from slurm.fake.played import PlayedRunners
from tests.browser.scene import people
from tests.daemon.world import Conversions, Registry, World, own_uid
from tests.store.memory import MemoryStore

HUB = "registry.avatar.io"
IMAGES = ("env-sim", "rl-agent", "reward-calc", "param-opt", "data-loader")
NO_SUCH_TAG = "9.9"
"""No image has it; every other tag exists."""
USERS = ("kim", "park", "choi")
"""Unix users with an association of account lab."""


@dataclass
class PlayedWorld(World):
    """A world whose jobs have stories: runners write events, logs and metrics while a test turns the clock."""

    runners: PlayedRunners

    def pass_time(self, seconds: float) -> None:
        """Turn the clock; what the jobs do meanwhile happens."""
        self.runners.advance(self.cluster.now + seconds)


async def build(settings: Settings) -> PlayedWorld:
    """Make it from nothing; the daemon goes round when a test says so."""
    await migrate(settings)
    cluster = lab_cluster(USERS)
    cluster.now = time.time()
    slurm, store, registry = FakeSlurm(cluster), MemoryStore(), Registry()
    for image in IMAGES:
        reference = f"{HUB}/{image}:{NO_SUCH_TAG}"
        registry.trouble[reference] = ImageNotFound(reference, "no such tag")
    conversions = Conversions(settings.storage.images)
    maker = sessions(engine_for(settings))
    context = Context(settings, maker, slurm, store, registry.resolve, conversions, own_uid)  # type: ignore[arg-type]
    world = PlayedWorld(
        context, slurm, store, registry, conversions, await people(context), PlayedRunners(cluster, speed=1.0)
    )
    await world.round()
    return world
