"""Operators on their way: uploads go to S3, are laid down for the jobs that run them, and are taken away afterwards.

A job reads its Operator on the shared file system, because it cannot read S3. Each lies in a folder of its own with a random
name, in a folder that nobody can list; it is there only while its analysis is on its way.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.db.engine import reading, transaction
from portal.db.models import Analysis, OperatorVersion, Upload, Workload, now
from portal.domain.lifecycle import TERMINAL, State
from portal.domain.operatorfile import unpacked
from portal.services import operators
from portal.settings import Settings
from portal.store import layout
from portal.store.s3 import ObjectMissing

FOLDER = ".operators"
"""Beside the run directories, the daemon's own (the Ansible role makes it)."""
_PLACE = re.compile(r"[0-9a-f]{32}")
_FOLDER_MODE, _DIR_MODE, _FILE_MODE = 0o711, 0o755, 0o644


def folder_of(settings: Settings, place: str) -> Path:
    """Where an Operator lies for its job. Raises ValueError for anything but a name of ours."""
    if not _PLACE.fullmatch(place):
        raise ValueError(f"not the name of an Operator's folder: {place!r}")
    return settings.storage.runs / FOLDER / place


async def serve(context: Context) -> None:
    """One round: move uploads, lay down what waits, take away what has ended."""
    async with reading(context.sessions) as session:
        uploads = list(await session.scalars(select(Upload.id).order_by(Upload.id)))
        wanted = await _runs(session, (State.SUBMITTED, State.QUEUED), placed=False)
        ended = await _runs(session, tuple(TERMINAL), placed=True)
    await each(context, uploads, _move)
    await each(context, wanted, _lay_down)
    await each(context, ended, _take_away)


async def _runs(session: AsyncSession, states: tuple[State, ...], *, placed: bool) -> list[str]:
    """Analyses in these states that have a place, and whose Operator lies there or not; all that ended where `placed`."""
    query = select(Analysis.run_id).join(Workload, Workload.id == Analysis.run_id)
    query = query.where(Workload.state.in_(states), Analysis.place != "")
    if not placed:
        query = query.where(Analysis.placed_at.is_(None))
    return list(await session.scalars(query.order_by(Analysis.created_at)))


async def _move(context: Context, upload_id: int) -> None:
    """The bytes go to S3 first, then out of the database: a crash between leaves both, and the next round moves them again."""
    async with reading(context.sessions) as session:
        upload = await session.get_one(Upload, upload_id)
        version = await session.get_one(OperatorVersion, upload.operator_version_id)
    await context.store.put_bytes(operators.BUCKET, layout.operator(version.sha256), upload.data)
    async with transaction(context.sessions) as session:
        version = await session.get_one(OperatorVersion, upload.operator_version_id)
        version.stored_at = now()
        await session.delete(await session.get_one(Upload, upload_id))


async def _lay_down(context: Context, run_id: str) -> None:
    async with reading(context.sessions) as session:
        analysis = await session.get_one(Analysis, run_id)
    version = analysis.version
    try:
        data = await context.store.get_bytes(operators.BUCKET, layout.operator(version.sha256))
    except ObjectMissing:
        if version.stored_at is None:  # its upload waits: this very loop moves it first
            return
        raise
    target = folder_of(context.settings, analysis.place)
    await to_thread.run_sync(_write, target, version.form, data)
    async with transaction(context.sessions) as session:
        analysis = await session.get_one(Analysis, run_id)
        analysis.placed_at = now()


def _write(target: Path, form: str, data: bytes) -> None:
    """All files or none: what an earlier try left is made anew."""
    if not target.parent.exists():
        target.parent.mkdir()
        target.parent.chmod(_FOLDER_MODE)
    part = target.with_name(f"{target.name}.part")
    for old in (part, target):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir()
    for path, content in unpacked(form, data):
        file = part / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(_FILE_MODE)
    for folder in (part, *(found for found in part.rglob("*") if found.is_dir())):
        folder.chmod(_DIR_MODE)
    part.rename(target)


async def _take_away(context: Context, run_id: str) -> None:
    async with reading(context.sessions) as session:
        analysis = await session.get_one(Analysis, run_id)
    target = folder_of(context.settings, analysis.place)
    await to_thread.run_sync(lambda: shutil.rmtree(target, ignore_errors=True))
    async with transaction(context.sessions) as session:
        analysis = await session.get_one(Analysis, run_id)
        analysis.place = ""
