"""Parts of a workload's page that only one tab shows: the difference to another spec, and the files that steps left."""

from __future__ import annotations

from dataclasses import dataclass

from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Workload
from portal.rundir import RunDirError
from portal.services import apps
from portal.services.access import readable_workload
from portal.services.audit import Actor
from portal.services.errors import NotFound
from portal.services.runfolder import run_folder
from portal.services.workloadview import RunView
from portal.settings import Settings
from portal.spec.diff import DiffGroup, diff_specs
from portal.spec.load import load_resolved, load_spec

APP_VERSION = "app"
SHOWN_FILES = 200


@dataclass(frozen=True)
class Compared:
    """A run's spec beside another: what it is compared with ("" for nothing), what differs, and what could be compared."""

    other: str
    groups: tuple[DiffGroup, ...] = ()
    missing: bool = False
    previous: str = ""


@dataclass(frozen=True)
class OutFile:
    """One file that a step left in /one/out; size in bytes."""

    step: str
    path: str
    size: int


@dataclass(frozen=True)
class Files:
    """What the steps left, at most SHOWN_FILES of it; `trouble` says why it cannot be listed."""

    found: tuple[OutFile, ...]
    beyond: int = 0
    trouble: str = ""


async def compared(session: AsyncSession, actor: Actor, view: RunView, other: str) -> Compared:
    """The difference to another run, or to the App's version that it was made of; what is not visible is missing."""
    previous = await _previous(session, view.workload)
    if not other:
        return Compared("", previous=previous)
    try:
        if other == APP_VERSION:
            version = await apps.version(session, actor, view.workload.app_id, view.workload.app_version)
            before = load_spec(version.spec).spec
        else:
            found = await readable_workload(session, actor, other)
            before = load_resolved(found.resolved or found.spec)
    except NotFound:
        return Compared(other, missing=True, previous=previous)
    return Compared(other, diff_specs(before, view.spec), previous=previous)


async def _previous(session: AsyncSession, workload: Workload) -> str:
    """The run of the same person and App before this one, "" for the first."""
    query = (
        select(Workload.id)
        .where(
            Workload.app_id == workload.app_id,
            Workload.owner_id == workload.owner_id,
            Workload.kind == workload.kind,
            Workload.submitted_at < workload.submitted_at,
        )
        .order_by(Workload.submitted_at.desc())
        .limit(1)
    )
    return workload.rerun_of or await session.scalar(query) or ""


async def out_files(settings: Settings, view: RunView) -> Files:
    """The files in /one/out of every step that ran."""
    return await to_thread.run_sync(_out_files, settings, view)


def _out_files(settings: Settings, view: RunView) -> Files:
    if view.attempt is None:
        return Files(())
    found: list[OutFile] = []
    try:
        folder = run_folder(settings, view.workload, view.attempt)
        for step in view.steps:
            listing = folder.tree(f"steps/{step.step}/out")
            found += [OutFile(step.step, file.path, file.size) for file in listing.files]
    except (RunDirError, OSError) as error:
        return Files(tuple(found[:SHOWN_FILES]), max(0, len(found) - SHOWN_FILES), str(error))
    return Files(tuple(found[:SHOWN_FILES]), max(0, len(found) - SHOWN_FILES))
