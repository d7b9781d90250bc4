"""The batch scripts of a workload as Slurm got them, kept compressed beside each job."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from portal.db.models import Attempt, SlurmJob, Workload
from portal.domain.permissions import Permission
from portal.services.access import allowed, workload_facts
from portal.services.audit import Actor
from slurm.script import common_part


@dataclass(frozen=True)
class StoredScript:
    """One job's script; `leader_id` is Slurm's, None before it was handed over."""

    attempt: int
    job_index: int
    leader_id: int | None
    text: str


def kept(script: str) -> bytes:
    """A script as the database has it: one zlib stream.

    Most of it is the runner's and the launcher's source, the same in every script: that part is compressed once, and put
    behind each script's own. Source: RFC 1950 and 1951, a stream is blocks, and its checksum is of the whole text.
    """
    own, common, rest = script.partition(common_part())
    if not common or rest:
        return zlib.compress(script.encode())
    start = zlib.compressobj()
    head = start.compress(own.encode()) + start.flush(zlib.Z_FULL_FLUSH)
    text, blocks = _common()
    return head + blocks + zlib.adler32(text, zlib.adler32(own.encode())).to_bytes(4, "big")


@functools.cache
def _common() -> tuple[bytes, bytes]:
    """The part that all scripts share, and its last blocks: they refer to nothing before them."""
    text = common_part().encode()
    blocks = zlib.compressobj(zlib.Z_BEST_COMPRESSION, wbits=-zlib.MAX_WBITS)
    return text, blocks.compress(text) + blocks.flush()


async def stored(
    session: AsyncSession, actor: Actor, workload: Workload, attempt: int | None = None
) -> tuple[StoredScript, ...]:
    """The scripts of an attempt (default: the newest), in the order of its jobs; jobs of before they were kept have none.

    They name folders of the cluster: only who may take the workload's logs away sees them, others have none.
    """
    if not allowed(actor, Permission.WORKLOAD_ARCHIVE, workload_facts(workload)):
        return ()
    number = attempt or (workload.attempts[-1].number if workload.attempts else 0)
    query = (
        select(SlurmJob)
        .join(Attempt, Attempt.id == SlurmJob.attempt_id)
        .where(Attempt.workload_id == workload.id, Attempt.number == number, SlurmJob.script.is_not(None))
        .order_by(SlurmJob.job_index)
        .options(undefer(SlurmJob.script))
        .execution_options(populate_existing=True)
    )
    return tuple(
        StoredScript(number, job.job_index, job.leader_id, zlib.decompress(job.script or b"").decode())
        for job in await session.scalars(query)
    )
