"""Station one: image tags of submitted workloads become digests, the spec gets its hash, and the gate decides what is next."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from containers.errors import ContainersError, RegistryUnreachable
from containers.image import ResolvedImage
from containers.reference import from_spec
from portal.compile import resolve as pin
from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.db.engine import transaction
from portal.db.models import Image, Workload, now
from portal.domain.lifecycle import State
from portal.services import state, tests
from portal.services.audit import DAEMON
from portal.spec.canonical import spec_hash
from portal.spec.graph import components_of
from portal.spec.load import dump_spec, load_resolved
from portal.store import layout

log = structlog.get_logger()


async def resolve_submitted(context: Context) -> None:
    """Look at every submitted workload once.

    The registry is asked once a reference and round: an answer of this round is younger than every workload in it.
    """
    async with context.sessions() as session:
        waiting = list(await session.scalars(select(Workload.id).where(Workload.state == State.SUBMITTED)))
    known: dict[str, ResolvedImage] = {}
    await each(context, waiting, functools.partial(_resolve_one, known=known))


async def _resolve_one(context: Context, workload_id: str, *, known: dict[str, ResolvedImage]) -> None:
    async with context.sessions() as session:
        workload = await session.get_one(Workload, workload_id)
        spec = load_resolved(workload.spec)
    found: dict[str, ResolvedImage] = {}
    for _path, _task, component in components_of(spec):
        image = component.image
        reference = f"{image.reference}@{image.digest}" if image.digest else image.reference
        try:
            if reference not in known:
                wanted = from_spec(image.registry, image.tag)
                known[reference] = await context.resolve_image(wanted.pinned(image.digest) if image.digest else wanted)
            found[reference] = known[reference]
        except RegistryUnreachable as error:
            await _note(context, workload_id, f"{reference}: {error}")
            return
        except ContainersError as error:
            await _fail(context, workload_id, reference, error)
            return
    resolved = pin(spec, {reference: image.digest for reference, image in found.items()})
    digest = spec_hash(resolved, time_limit_min=workload.time_limit_min)
    document = dump_spec(resolved)
    await context.store.put_json("specs", layout.workload_spec(workload_id, digest), document)
    async with transaction(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id)
        if workload.state != State.SUBMITTED:
            return
        workload.resolved, workload.spec_hash = document, digest
        await _know_images(session, found.values())
        await _pass_gate(session, context, workload)


async def _know_images(session: AsyncSession, found: Iterable[ResolvedImage]) -> None:
    for image in found:
        if await session.get(Image, image.digest) is None:
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
        await state.change(session, workload, State.QUEUED, DAEMON, phase="preparing")
        return
    await state.change(session, workload, State.AWAITING_APPROVAL, DAEMON)
    await session.flush()
    await session.refresh(workload, ["tests"])
    if workload.options.get("run_test") and workload.test is None:
        await tests.start_for(session, workload, workload.owner, context.settings)


async def _note(context: Context, workload_id: str, text: str) -> None:
    """The registry does not answer: nothing is known, so the workload waits and says why."""
    log.warning("registry does not answer", workload=workload_id, detail=text)
    async with transaction(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id)
        if workload.state == State.SUBMITTED:
            workload.unknown_since = workload.unknown_since or now()
            workload.phase = "checking"


async def _fail(context: Context, workload_id: str, reference: str, error: ContainersError) -> None:
    async with transaction(context.sessions) as session:
        workload = await session.get_one(Workload, workload_id)
        if workload.state == State.SUBMITTED:
            failure = {"cause": "image", "image": reference, "code": error.code, "message": str(error)}
            await state.change(session, workload, State.FAILED, DAEMON, failure=failure)
