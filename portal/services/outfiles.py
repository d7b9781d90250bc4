"""Files that the components of a run left in /one/out, for its owner to keep: read from the run directory, never through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Attempt
from portal.domain.permissions import RESEARCHER, Permission
from portal.rundir import FoundFile, RunDir, RunDirError
from portal.services.access import demand, readable_workload, workload_facts
from portal.services.audit import Action, Actor, record
from portal.services.errors import NotFound, Unavailable
from portal.services.runfolder import run_folder
from portal.settings import Settings
from portal.spec.graph import components_of
from portal.spec.load import load_resolved

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class OutFile:
    """One file: `inside` is its path in the run directory, `tag` changes whenever the file does."""

    folder: RunDir
    inside: str
    name: str
    size: int
    tag: str


async def find(
    session: AsyncSession, actor: Actor, settings: Settings, workload_id: str, path: str, number: int | None
) -> OutFile:
    """The file `TASK/NODE/path` of an attempt (default: the newest), audited. Raises NotFound, Forbidden, Unavailable."""
    workload = await readable_workload(session, actor, workload_id)
    demand(actor, Permission.WORKLOAD_FILES, workload_facts(workload), role=RESEARCHER)
    task, _, rest = path.partition("/")
    node, _, inner = rest.partition("/")
    spec = load_resolved(workload.resolved or workload.spec)
    steps = {(of.task_id, component.id) for _path, of, component in components_of(spec)}
    attempt = _attempt(workload.attempts, number)
    if (task, node) not in steps or attempt is None:
        raise NotFound("file", path)
    out = f"steps/{task}/{node}/out"
    try:
        folder = run_folder(settings, workload, attempt)
        found = await to_thread.run_sync(_listed, folder, out, inner)
    except (RunDirError, OSError) as error:
        raise Unavailable(
            "run_unreadable", f"The run directory cannot be read: {error}", f"실행 폴더를 읽을 수 없습니다: {error}"
        ) from error
    if found is None:
        raise NotFound("file", path)
    record(session, actor, Action.WORKLOAD_DOWNLOAD, "workload", workload.id, after={"file": path})
    tag = f"{found.size:x}-{found.changed_ns:x}"
    return OutFile(folder, f"{out}/{found.path}", found.path.rpartition("/")[2], found.size, tag)


def _attempt(attempts: list[Attempt], number: int | None) -> Attempt | None:
    chosen = [one for one in attempts if number in {None, one.number}]
    return chosen[-1] if chosen else None


def _listed(folder: RunDir, out: str, inner: str) -> FoundFile | None:
    """Only what the folder lists can be asked for: a path that leads anywhere else is in no listing."""
    return next((file for file in folder.tree(out).files if file.path == inner), None)


async def read(file: OutFile, offset: int, length: int) -> AsyncIterator[bytes]:
    """`length` bytes from `offset`, a chunk at a time. Raises NotFound when it is gone or was changed for another."""
    first = await _chunk(file, offset, min(length, CHUNK_BYTES)) if length else b""

    async def chunks() -> AsyncIterator[bytes]:
        piece, at = first, offset
        while piece:
            yield piece
            at += len(piece)
            left = offset + length - at
            piece = await _chunk(file, at, min(left, CHUNK_BYTES)) if left > 0 else b""

    return chunks()


async def _chunk(file: OutFile, offset: int, limit: int) -> bytes:
    try:
        return await to_thread.run_sync(file.folder.read, file.inside, offset, limit)
    except RunDirError as error:
        raise NotFound("file", file.name) from error
