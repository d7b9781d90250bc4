"""The sampling loop: once a minute what the cluster holds, uses and waits for, for the trends of the resources page."""

from __future__ import annotations

from anyio import to_thread

from portal.daemon.context import Context
from portal.db.engine import transaction
from portal.db.models import Attempt, Workload
from portal.rundir import RunDir, RunDirError
from portal.services import cluster, clusteruse, trends


async def sample(context: Context) -> None:
    """Write this minute's sample, unless it is written, or nothing is known of the present."""
    async with context.sessions() as session:
        view = await cluster.nodes(session, context.settings)
        if view.at is None or view.unreachable_since is not None or not await trends.is_due(session):
            return
        queued, wanted = await clusteruse.waiting(session)
        running = await clusteruse.running(session)

    def open_run(workload: Workload, attempt: Attempt) -> RunDir | None:
        try:
            return context.rundir(attempt.run_dir, workload.owner.unix_user or "")
        except RunDirError:
            return None

    uses = await to_thread.run_sync(clusteruse.measure, running, open_run)
    notes = {node.name: node.state for node in view.nodes if node.state != "active"}
    async with transaction(context.sessions) as session:
        await trends.keep(session, clusteruse.reading_of(view, uses, queued, wanted), notes)
