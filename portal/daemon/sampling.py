"""The sampling loop: once a minute what the cluster holds, uses and waits for, for the trends of the resources page."""

from __future__ import annotations

from anyio import to_thread

from portal.daemon.context import Context
from portal.daemon.filling import Gaps
from portal.db.engine import reading, transaction
from portal.db.models import Attempt, Workload
from portal.rundir import RunDir, RunDirError
from portal.services import cluster, clusteruse, gpuuse, trends


class Sampling:
    """The loop, which remembers what it has missed."""

    def __init__(self) -> None:
        self._gaps = Gaps()

    async def __call__(self, context: Context) -> None:
        """Write this minute's sample, and fill what lies before it."""
        await sample(context, self._gaps)


async def sample(context: Context, gaps: Gaps | None = None) -> None:
    """Write this minute's sample, unless it is written, or nothing is known of the present."""
    async with reading(context.sessions) as session:
        if not await trends.is_due(session):  # asked first: at most rounds it is not, and the picture is large
            return
        view = await cluster.nodes(session, context.settings)
        if view.at is None or view.unreachable_since is not None:
            return
        queued, wanted = await clusteruse.waiting(session)
        running = await clusteruse.running(session)
        gpus = await gpuuse.newest(session, context.settings)
        newest = await trends.newest_at(session)
    if gaps is not None:
        await gaps.look(context, view, newest)

    def open_run(workload: Workload, attempt: Attempt) -> RunDir | None:
        try:
            return context.rundir(attempt.run_dir, workload.owner.unix_user or "")
        except RunDirError:
            return None

    uses = await to_thread.run_sync(clusteruse.measure, running, open_run)
    notes = {node.name: node.state for node in view.nodes if node.state != "active"}
    async with transaction(context.sessions) as session:
        whole = clusteruse.reading_of(view, uses, queued, wanted, gpus)
        await trends.keep(session, whole, notes, clusteruse.node_readings(view, gpus))
