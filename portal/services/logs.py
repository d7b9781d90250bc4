"""Who may read a run's logs, and what there is to read."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt, Workload
from portal.domain.lifecycle import TERMINAL, State
from portal.domain.permissions import Permission
from portal.services import workloads
from portal.services.access import allowed, workload_facts
from portal.services.audit import Actor
from portal.services.errors import Forbidden, NotFound
from portal.services.logsource import LogFile, LogSource, Stream, source_of, wanted
from portal.settings import Settings
from portal.store.s3 import ObjectStore

CHUNK_BYTES = 64 * 1024
MAX_READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class RunLogs:
    """The logs of one attempt at one moment; `ended` when nothing will be added."""

    workload_id: str
    attempt: int
    state: str
    phase: str
    ended: bool
    source: LogSource | None
    files: tuple[LogFile, ...] = ()


async def open_logs(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    store: ObjectStore,
    workload_id: str,
    attempt: int | None = None,
) -> RunLogs:
    """The logs of an attempt (default: the newest). Nothing has run yet: no source, no files.

    Raises NotFound (workload or attempt), Forbidden (the owner does not share logs), Unavailable.
    """
    workload = await workloads.get(session, actor, workload_id)
    check_readable(actor, workload)
    return await logs_of(settings, store, workload, attempt)


async def logs_of(settings: Settings, store: ObjectStore, workload: Workload, attempt: int | None) -> RunLogs:
    """As open_logs, for a caller who has checked already."""
    ended = State(workload.state) in TERMINAL
    chosen = _attempt(workload, attempt)
    if chosen is None:
        return RunLogs(workload.id, 0, workload.state, workload.phase, ended, None)
    source = await source_of(settings, store, workload, chosen)
    files = await source.files()
    return RunLogs(workload.id, chosen.number, workload.state, workload.phase, ended, source, files)


def check_readable(actor: Actor, workload: Workload) -> None:
    """Logs can hold secrets: owner and admins read them, others only where the App's owner shares them (D6). Raises Forbidden."""
    if allowed(actor, Permission.WORKLOAD_LOGS, workload_facts(workload)):
        return
    raise Forbidden(
        "logs_not_shared",
        "The owner does not share the logs of this App.",
        "이 App의 소유자가 로그를 공개하지 않았습니다.",
    )


def one_file(
    logs: RunLogs, component: str, stream: Stream, *, iteration: int | None = None, attempt_try: int | None = None
) -> LogFile:
    """The newest file of a component's stream, or the one of an iteration and try. Raises NotFound."""
    found = [
        file
        for file in wanted(logs.files, component, stream)
        if iteration in {None, file.iteration} and attempt_try in {None, file.attempt_try}
    ]
    if not found:
        raise NotFound("log", f"{logs.workload_id} {component} {stream}")
    return found[-1]


async def read(logs: RunLogs, file: LogFile, offset: int, limit: int) -> tuple[int, bytes]:
    """Where the piece starts and its bytes; a negative offset counts from the end. Raises Unavailable."""
    start = max(file.size + offset, 0) if offset < 0 else offset
    source = logs.source
    data = await source.read(file, start, min(limit, MAX_READ_BYTES)) if source is not None else b""
    return start, data


def _attempt(workload: Workload, number: int | None) -> Attempt | None:
    if number is None:
        return workload.attempts[-1] if workload.attempts else None
    for attempt in workload.attempts:
        if attempt.number == number:
            return attempt
    raise NotFound("attempt", f"{workload.id} a{number}")
