"""What makes the scene's queue worth looking at: levels, a job from outside, a held one, one changed with scontrol."""

from __future__ import annotations

from dataclasses import replace

from portal.db.engine import transaction
from portal.domain.priority import Level
from portal.services import queue, wholequeue
from tests.daemon.world import World


async def lay(world: World) -> None:
    """Change what waits in Slurm, as an admin, as root and as somebody with sbatch."""
    async with world.maker() as session:
        whole = await wholequeue.read(session, world.actors["admin"], world.context.settings)
    ids = [line.workload_id for line in whole.lines if line.workload_id and line.slurm_id]
    if len(ids) < 3:
        return
    async with transaction(world.maker) as session:
        settings, admin = world.context.settings, world.actors["admin"]
        await queue.set_priority(session, admin, settings, ids[0], Level.HIGH)
        await queue.set_priority(session, admin, settings, ids[-1], Level.LOW)
        await queue.hold(session, admin, ids[-2], held=True)
    like = next(one for one in world.slurm.submissions if ids[0] in one.components[0].comment)
    sbatch = replace(like.components[0], name="train_gnn.sh", comment="")
    world.cluster.add(like, (sbatch,), owner="jhlee")
    await world.round()
    leader = (await world.workload(ids[1])).attempts[0].jobs[0].leader_id or 0
    for job in world.cluster.components(leader):
        job.nice += 3_000
    for _ in range(2):
        await world.round()
