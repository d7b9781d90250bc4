"""Correcting a request that waits for its decision: what runs anew is a new hash, so test and approval begin again (D7, D13)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Workload
from portal.domain.approval import TestStatus
from portal.domain.lifecycle import Phase, State
from portal.domain.permissions import RESEARCHER, Permission
from portal.domain.resources_text import gpu_types
from portal.services import apps, state, workloads
from portal.services.access import app_facts, demand, readable_workload
from portal.services.approvalrule import reasons_for
from portal.services.audit import Action, Actor, record
from portal.services.intake import mapped_owner
from portal.services.reruns import RESUME_FROM
from portal.services.trainer import demand_editable
from portal.services.workloads import SubmitRequest, check_fit, check_name, checked, demand_in_use
from portal.settings import Settings
from portal.spec.load import LoadedSpec

ASKED = ("kind", "app_version", "spec", "time_limit_min", "options", "name", "note")
HASHED = frozenset({"kind", "spec", "time_limit_min"})
"""A change of these is another thing to run."""
TEST_VOIDED = "The request was changed."


async def edit(
    session: AsyncSession, actor: Actor, settings: Settings, workload_id: str, request: SubmitRequest
) -> Workload:
    """Put other content into a waiting request of one's own; name, note and wishes about the plan void no test.

    The same correction again changes nothing. Raises NotFound, Forbidden, Conflict (not waiting any more), Invalid.
    """
    workload = await readable_workload(session, actor, workload_id)
    check_name(request.name)
    request = await workloads.with_operator(session, actor, settings, request)
    loaded, kind = checked(settings, request)
    wanted = _wanted(settings, workload, request, loaded, kind)
    changed = {name: value for name, value in wanted.items() if getattr(workload, name) != value}
    if not changed and workload.state == State.SUBMITTED:
        return workload  # the same correction a moment earlier
    demand_editable(actor, workload)
    if changed.keys() & HASHED:
        version = await apps.version(session, actor, workload.app_id, loaded.spec.version)
        demand(actor, Permission.APP_SUBMIT, app_facts(version.app), role=RESEARCHER)
        demand_in_use(version.app)
        owner = await mapped_owner(session, actor)
        await check_fit(session, settings, loaded, owner, wanted["time_limit_min"], request)
    if changed:
        await _write(session, actor, settings, workload, loaded, changed)
    return workload


def _wanted(
    settings: Settings, workload: Workload, request: SubmitRequest, loaded: LoadedSpec, kind: str
) -> dict[str, Any]:
    """The columns of the row as the correction has them."""
    resumed = {name: value for name, value in workload.options.items() if name == RESUME_FROM}
    values = (
        kind,
        loaded.spec.version,
        {**loaded.document, "app_id": workload.app_id},
        request.time_limit_min or settings.policy.time_limit_min,
        resumed | request.options,
        request.name or loaded.spec.name,
        request.note,
    )
    return dict(zip(ASKED, values, strict=True))


async def _write(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    workload: Workload,
    loaded: LoadedSpec,
    changed: dict[str, Any],
) -> None:
    before = {name: getattr(workload, name) for name in changed}
    voids = bool(changed.keys() & HASHED)
    facts = {"voids_test": voids, "spec_hash": workload.spec_hash}
    record(session, actor, Action.WORKLOAD_EDIT, "workload", workload.id, before=before | facts, after=changed)
    state.event(session, workload, "portal", "edited", text=actor.name, data={"changed": sorted(changed), **facts})
    test = workload.test
    for name, value in changed.items():
        setattr(workload, name, value)
    if voids:
        if test is not None and test.status == TestStatus.RUNNING:
            await workloads.cancel(session, actor, test.run_id, TEST_VOIDED)
        reasons = await reasons_for(session, settings, loaded.spec)
        workload.resolved = workload.spec_hash = None
        workload.needs_approval = bool(reasons)
        workload.gpu_types = gpu_types(loaded.spec)
        workload.approval_reasons = [reason.as_json() for reason in reasons]
        await state.change(session, workload, State.SUBMITTED, actor, phase=Phase.CHECKING)
    await session.flush()
