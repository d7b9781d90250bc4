"""Station one: image tags of submitted workloads become digests, the spec gets its hash, and the gate decides what is next."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from containers.errors import ContainersError, RegistryUnreachable
from containers.image import ResolvedImage
from containers.reference import from_spec
from portal.compile import resolve as pin
from portal.daemon.context import Context
from portal.daemon.rounds import abreast, in_batches
from portal.db.engine import reading, transaction
from portal.db.models import Image, Workload, now
from portal.domain.lifecycle import State
from portal.services import state, tests
from portal.services.audit import DAEMON
from portal.spec.canonical import spec_hash
from portal.spec.graph import components_of
from portal.spec.load import dump_spec, load_resolved
from portal.store import layout

log = structlog.get_logger()

BATCH = 32
"""Workloads a transaction."""
STORED_AT_ONCE = 8
"""Specs on their way to S3 at a time."""


@dataclass(frozen=True)
class Resolved:
    """A workload's spec with every image pinned: its document, its hash and the images."""

    document: dict[str, Any]
    spec_hash: str
    images: tuple[ResolvedImage, ...]


@dataclass(frozen=True)
class Unresolved:
    """The image that keeps a workload from going on; `final` when the registry said no, not when it said nothing."""

    reference: str
    error: ContainersError
    final: bool


async def resolve_submitted(context: Context) -> None:
    """Look at every submitted workload once, the oldest first.

    The registry is asked once a reference and round: an answer of this round is younger than every workload in it.
    """
    query = select(Workload.id).where(Workload.state == State.SUBMITTED)
    async with reading(context.sessions) as session:
        waiting = list(await session.scalars(query.order_by(Workload.submitted_at, Workload.id)))
    known: dict[str, ResolvedImage] = {}
    await in_batches(context, waiting, BATCH, functools.partial(_resolve, known=known))


async def _resolve(context: Context, ids: Sequence[str], *, known: dict[str, ResolvedImage]) -> None:
    """Pin a batch, store the specs in S3, then write what became of it in one transaction."""
    query = select(Workload.id, Workload.spec, Workload.time_limit_min).where(Workload.id.in_(ids))
    async with reading(context.sessions) as session:
        rows = {row.id: row for row in await session.execute(query)}
    found = {one: await _pinned(context, rows[one].spec, rows[one].time_limit_min, known) for one in ids}

    async def store(context: Context, workload_id: str) -> None:
        one = found[workload_id]
        if isinstance(one, Resolved):
            await context.store.put_json("specs", layout.workload_spec(workload_id, one.spec_hash), one.document)
        stored.append(workload_id)

    stored: list[str] = []
    trouble = await abreast(context, ids, STORED_AT_ONCE, store)
    await _write_down(context, {one: found[one] for one in ids if one in stored})
    if trouble is not None:
        raise trouble


async def _pinned(
    context: Context, document: dict[str, Any], time_limit_min: int, known: dict[str, ResolvedImage]
) -> Resolved | Unresolved:
    spec = load_resolved(document)
    found: dict[str, ResolvedImage] = {}
    for _path, _task, component in components_of(spec):
        image = component.image
        reference = f"{image.reference}@{image.digest}" if image.digest else image.reference
        try:
            if reference not in known:
                wanted = from_spec(image.registry, image.tag)
                known[reference] = await context.resolve_image(wanted.pinned(image.digest) if image.digest else wanted)
        except ContainersError as error:
            return Unresolved(reference, error, final=not isinstance(error, RegistryUnreachable))
        found[reference] = known[reference]
    resolved = pin(spec, {reference: image.digest for reference, image in found.items()})
    digest = spec_hash(resolved, time_limit_min=time_limit_min)
    return Resolved(dump_spec(resolved), digest, tuple(found.values()))


async def _write_down(context: Context, found: Mapping[str, Resolved | Unresolved]) -> None:
    query = select(Workload).where(Workload.id.in_(found), Workload.state == State.SUBMITTED)
    async with transaction(context.sessions) as session:
        workloads = {workload.id: workload for workload in (await session.scalars(query)).unique()}
        await _know_images(
            session, [image for one in found.values() if isinstance(one, Resolved) for image in one.images]
        )
        with session.no_autoflush:
            for workload_id in [one for one in found if one in workloads]:
                workload, one = workloads[workload_id], found[workload_id]
                if isinstance(one, Resolved):
                    workload.resolved, workload.spec_hash = one.document, one.spec_hash
                    await _pass_gate(session, context, workload)
                else:
                    await _stop(session, workload, one)


async def _know_images(session: AsyncSession, found: Iterable[ResolvedImage]) -> None:
    images = {image.digest: image for image in found}
    known = set(await session.scalars(select(Image.digest).where(Image.digest.in_(images))))
    for image in [image for digest, image in images.items() if digest not in known]:
        session.add(
            Image(
                digest=image.digest,
                reference=str(image.reference.name),
                size_bytes=image.size,
                config=image.config.to_json(),
            )
        )


async def _pass_gate(session: AsyncSession, context: Context, workload: Workload) -> None:
    """Under the threshold: queued at once. Over it: wait for test and approval; a passed test of the same hash counts."""
    state.event(session, workload, "portal", "images_resolved", data={"spec_hash": workload.spec_hash})
    if not workload.needs_approval:
        workload.decision = "not_required"
        await state.write(session, workload, State.QUEUED, DAEMON, phase="preparing")
        return
    await state.change(session, workload, State.AWAITING_APPROVAL, DAEMON)
    await session.flush()
    await session.refresh(workload, ["tests"])
    if workload.options.get("run_test") and workload.test is None:
        await tests.start_for(session, workload, workload.owner, context.settings)


async def _stop(session: AsyncSession, workload: Workload, why: Unresolved) -> None:
    """An image that cannot be had ends the workload; a registry that does not answer makes it wait and say why."""
    if why.final:
        failure = {"cause": "image", "image": why.reference, "code": why.error.code, "message": str(why.error)}
        await state.write(session, workload, State.FAILED, DAEMON, failure=failure)
        return
    log.warning("registry does not answer", workload=workload.id, detail=f"{why.reference}: {why.error}")
    workload.unknown_since = workload.unknown_since or now()
    workload.phase = "checking"
