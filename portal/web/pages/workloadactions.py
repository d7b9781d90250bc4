"""What one does to a workload: cancel, run again, test, and take a support bundle away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Final

from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, QueryParameter

from portal.services import reruns, scripts, supportbundle, tests, workloads, workloadview
from portal.services.errors import NotFound, ServiceError
from portal.services.reruns import RerunRequest
from portal.services.tests import TestRequest
from portal.services.workloadview import RunView
from portal.web.address import MAX_ID
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT, VISIT_DOWNLOAD, VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
WorkloadId = FromPath[str]
ACTIONS: Final = ("cancel", "rerun", "test")
MAX_REASON_CHARS: Final = 500


@dataclass(frozen=True)
class WorkloadActionPage(PageContext):
    """P11, the question before an action: a page of its own where scripts are off, or after a refusal."""

    template: ClassVar[str] = "workload/action.html"
    nav: ClassVar[str] = "workloads"
    view: RunView
    action: str
    form: Form
    once: str = field(default_factory=partial(secrets.token_hex, 16))


@get(
    [f"/workloads/{{workload_id:str}}/actions/{action}" for action in ACTIONS],
    guards=[VISIT_SUBMIT],
    include_in_schema=False,
)
async def ask_action(
    request: Asked,
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: WorkloadId,
) -> Response[str]:
    """P11, the question."""
    view = await workloadview.view(session, actor, settings, state.run_watch, workload_id)
    return shown(frame, WorkloadActionPage(view, request.url.path.rpartition("/")[2], Form()))


@post("/workloads/{workload_id:str}/actions/cancel", guards=[VISIT_SUBMIT], include_in_schema=False)
async def cancel(
    request: Asked,
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: WorkloadId,
    fields: FormData,
) -> Response[str] | Response[None]:
    """Ask for its end."""
    try:
        workload = await workloads.cancel(session, actor, workload_id, fields.get("reason", "")[:MAX_REASON_CHARS])
    except ServiceError as error:
        view = await workloadview.view(session, actor, settings, state.run_watch, workload_id)
        form = refused(error, frame.language, fields, field_of={"reason": "reason"})
        return shown(frame, WorkloadActionPage(view, "cancel", form), status=error.status)
    words = translations(frame.language).gettext
    said = N_("Cancelled") if workload.ended_at else N_("Cancelling")
    return to(request, f"/workloads/{workload.id}", toast=f"{workload.name}: {words(said)}")


@post("/workloads/{workload_id:str}/actions/rerun", guards=[VISIT_SUBMIT], include_in_schema=False)
async def rerun(
    request: Asked,
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: WorkloadId,
    fields: FormData,
) -> Response[str] | Response[None]:
    """A new request with the same content, from its checkpoints where that is asked for."""
    wish = RerunRequest(resume=fields.get("resume") == "on", idempotency_key=fields.get("once") or None)
    try:
        made = await reruns.rerun(session, actor, settings, workload_id, wish)
    except ServiceError as error:
        view = await workloadview.view(session, actor, settings, state.run_watch, workload_id)
        page = WorkloadActionPage(view, "rerun", refused(error, frame.language, fields))
        return shown(frame, page, status=error.status)
    words = translations(frame.language).gettext
    return to(request, f"/workloads/{made.id}", toast=words(N_("Submitted %(id)s")) % {"id": made.id})


@post("/workloads/{workload_id:str}/actions/test", guards=[VISIT_SUBMIT], include_in_schema=False)
async def start_test(
    request: Asked,
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: WorkloadId,
    fields: FormData,
) -> Response[str] | Response[None]:
    """Start the minimal run test of a request that waits for its approval."""
    count = int(fields["count"]) if fields.get("count", "").isdecimal() else None
    try:
        found = await workloads.get(session, actor, workload_id)
        wish = TestRequest(episodes=count) if found.kind == tests.RL else TestRequest(iterations=count)
        test = await tests.start(session, actor, settings, workload_id, wish)
    except ServiceError as error:
        view = await workloadview.view(session, actor, settings, state.run_watch, workload_id)
        codes = {"test_episodes": "count", "test_iterations": "count"}
        page = WorkloadActionPage(view, "test", refused(error, frame.language, fields, field_of=codes))
        return shown(frame, page, status=error.status)
    words = translations(frame.language).gettext
    return to(request, f"/workloads/{found.id}", toast=words(N_("Test started: %(id)s")) % {"id": test.run_id})


@get("/workloads/{workload_id:str}/support-bundle.zip", guards=[VISIT_DOWNLOAD], include_in_schema=False)
async def support_bundle(
    state: State, session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId
) -> Response[bytes]:
    """Everything that helps to help, as a zip."""
    name, data = await supportbundle.bundle(session, actor, settings, state.store, workload_id)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type="application/zip", headers=headers)


@get("/workloads/{workload_id:str}/scripts/{job_index:int}", guards=[VISIT], include_in_schema=False)
async def batch_script(
    session: Session,
    actor: Asker,
    workload_id: WorkloadId,
    job_index: FromPath[int],
    attempt: Annotated[int | None, QueryParameter(ge=1, le=MAX_ID, description="Default: the newest.")] = None,
) -> Response[str]:
    """The batch script that Slurm got, as plain text. Raises NotFound."""
    workload = await workloads.get(session, actor, workload_id)
    found = await scripts.stored(session, actor, workload, attempt)
    one = next((script for script in found if script.job_index == job_index), None)
    if one is None:
        raise NotFound("script", f"{workload_id} {job_index}")
    headers = {"Cache-Control": "no-store", "Content-Disposition": "inline"}
    return Response(one.text, media_type=MediaType.TEXT, headers=headers)


ROUTES = [ask_action, cancel, rerun, start_test, support_bundle, batch_script]
