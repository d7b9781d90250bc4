"""Workloads: submit, list, show, cancel, and what became of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import MediaType, Request, get, post
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Workload
from portal.domain.notices import WISHES
from portal.services import planning, reruns, scripts, why, workloads
from portal.services.planning import PlanPreview
from portal.services.reruns import RerunRequest
from portal.services.workloads import SubmitRequest, WorkloadFilter
from portal.settings import Settings
from portal.spec.load import load_resolved
from portal.web.address import MAX_ID
from portal.web.body import SpecOperation, spec_of
from portal.web.context import Asker, InLanguage, PageNumber, PageSize, Session, SiteSettings, page_document
from portal.web.guards import READ, SUBMIT
from portal.web.schemas import event_document, workload_detail, workload_document
from portal.web.schemas_cluster import dry_run_document, preview_document, why_document
from slurm.plan import Form

WorkloadId = FromPath[str]


class SubmitBody(BaseModel):
    """A request to run an App."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    spec: Annotated[dict[str, JsonValue], Field(description="The App spec file's content.")]
    kind: Annotated[
        Literal["rl", "general"] | None, Field(description="Default: rl with a training_config, else general.")
    ] = None
    as_new_app: Annotated[
        str | None, Field(alias="asNewApp", max_length=64, description="Run it as a new App of this id, or `auto`.")
    ] = None
    name: Annotated[str, Field(max_length=128, description="Default: the App's name.")] = ""
    note: Annotated[str, Field(max_length=2000)] = ""
    overrides: Annotated[dict[str, JsonValue], Field(description="Values for this request only, by path.")] = {}
    time_limit_min: Annotated[int | None, Field(alias="timeLimitMin", ge=1, description="Minutes.")] = None
    form: Form = "auto"
    smallest: Annotated[bool, Field(description="Prefer the smallest allocation over parallelism.")] = False
    run_test: Annotated[bool, Field(alias="runTest", description="Start the minimal run test at once.")] = False
    share_logs: Annotated[
        bool, Field(alias="shareLogs", description="Everybody who sees the workload may read its logs.")
    ] = False
    operator: Annotated[
        str, Field(max_length=32, description="One of your Operators, `OP-A1B2C3` or `OP-A1B2C3:2`, run after success.")
    ] = ""

    notify: Annotated[
        list[Literal["start", "end"]],
        Field(max_length=2, description="Tell its owner of these by every way, whatever the account's choices are."),
    ] = []

    def request(self, idempotency_key: str | None) -> SubmitRequest:
        """The use case's words for it."""
        return SubmitRequest(
            spec=dict(self.spec),
            kind=self.kind,
            as_new_app=self.as_new_app,
            name=self.name,
            note=self.note,
            idempotency_key=idempotency_key,
            overrides=self.overrides,
            time_limit_min=self.time_limit_min,
            form=self.form,
            smallest=self.smallest,
            run_test=self.run_test,
            share_logs=self.share_logs,
            operator=self.operator,
            notify=tuple(sorted(set(self.notify), key=WISHES.index)),
        )


class CancelBody(BaseModel):
    """Why it is cancelled."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500, description="Needed when it is not one's own.")] = ""


class RerunBody(BaseModel):
    """What the new run has otherwise than the old one."""

    model_config = ConfigDict(extra="forbid")

    resume: Annotated[bool, Field(description="Begin with the old run's checkpoints (its owner only).")] = False
    overrides: Annotated[dict[str, JsonValue], Field(description="Values for the new run only, by path.")] = {}
    note: Annotated[str, Field(max_length=2000)] = ""


@post("/plan", guards=[READ], status_code=200, opt={"spec_body": True}, operation_class=SpecOperation)
async def plan(
    request: Request[Any, Any, Any],
    session: Session,
    settings: SiteSettings,
    language: InLanguage,
    form: FromQuery[Form] = "auto",
    smallest: FromQuery[bool] = False,
    script: FromQuery[bool] = False,
) -> dict[str, Any]:
    """Where a spec file would run now, in words and as data; with `script` also the batch scripts. Nothing is kept."""
    loaded = await spec_of(request)
    preview = await planning.preview(session, settings, loaded.spec, form=form, smallest=smallest, with_scripts=script)
    return preview_document(preview, language)


@post("/workloads", guards=[SUBMIT])
async def submit(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    data: JSONBody[SubmitBody],
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(name="Idempotency-Key", max_length=128, description="The same key, the same workload."),
    ] = None,
) -> dict[str, Any]:
    """Submit a workload; it passes the same gates as from every other door."""
    workload = await workloads.submit(session, actor, settings, data.request(idempotency_key))
    return workload_detail(workload, actor)


@post("/workloads/dry-run", guards=[SUBMIT], status_code=200)
async def dry_run(
    session: Session, actor: Asker, settings: SiteSettings, language: InLanguage, data: JSONBody[SubmitBody]
) -> dict[str, Any]:
    """What a submit would do: plan, whether approval is needed, and every problem. Nothing is kept."""
    return dry_run_document(await workloads.dry_run(session, actor, settings, data.request(None)), language)


@get("/workloads", guards=[READ])
async def list_workloads(
    session: Session,
    actor: Asker,
    owner: Annotated[str, QueryParameter(max_length=64, description="User name, or `me`.")] = "",
    in_state: Annotated[
        str, QueryParameter(name="state", max_length=128, description="One state, or several with commas.")
    ] = "",
    kind: Annotated[
        str, QueryParameter(max_length=16, description="One kind; tests are shown only when asked for.")
    ] = "",
    app: Annotated[str, QueryParameter(max_length=64, description="One App's.")] = "",
    gpu: Annotated[
        str, QueryParameter(max_length=64, description="Asking for this GPU type; `none`: without GPUs.")
    ] = "",
    job: Annotated[
        str, QueryParameter(max_length=32, description="The one that this Slurm job (123, 123+1) belongs to.")
    ] = "",
    q: Annotated[str, QueryParameter(max_length=128, description="Part of id or name, or a Slurm job id.")] = "",
    sort: Annotated[str, QueryParameter(max_length=32, description="Field, with - for descending.")] = "-submitted_at",
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """The workloads that the asker may see."""
    wanted = WorkloadFilter(owner=owner, state=in_state, kind=kind, app=app, gpu=gpu, job=job, q=q, sort=sort)
    found = await workloads.page(session, actor, wanted, page, size)
    return page_document([workload_document(item) for item in found.items], page, size, found.total)


@get("/workloads/{workload_id:str}", guards=[READ])
async def show(session: Session, actor: Asker, workload_id: WorkloadId) -> dict[str, Any]:
    """One workload: state, gate, plan's jobs, attempts, and the spec that runs."""
    return workload_detail(await workloads.get(session, actor, workload_id), actor)


@post("/workloads/{workload_id:str}/cancel", guards=[SUBMIT], status_code=202)
async def cancel(session: Session, actor: Asker, workload_id: WorkloadId, data: JSONBody[CancelBody]) -> dict[str, Any]:
    """Ask for its end; it is cancelled when Slurm says so."""
    return workload_document(await workloads.cancel(session, actor, workload_id, data.reason))


@post("/workloads/{workload_id:str}/rerun", guards=[SUBMIT])
async def rerun(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    data: JSONBody[RerunBody],
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(name="Idempotency-Key", max_length=128, description="The same key, the same workload."),
    ] = None,
) -> dict[str, Any]:
    """Run an ended workload again as a new one; it passes the same gates."""
    wanted = RerunRequest(data.resume, data.overrides, data.note, idempotency_key)
    return workload_detail(await reruns.rerun(session, actor, settings, workload_id, wanted), actor)


@get("/workloads/{workload_id:str}/events", guards=[READ])
async def events(
    session: Session,
    actor: Asker,
    workload_id: WorkloadId,
    after: Annotated[int, QueryParameter(ge=0, le=MAX_ID, description="Only events after this id.")] = 0,
) -> dict[str, Any]:
    """What happened to it, oldest first."""
    found = await workloads.events(session, actor, workload_id, after)
    return {"items": [event_document(item) for item in found], "total": len(found)}


@get("/workloads/{workload_id:str}/why", guards=[READ])
async def explain(
    session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId, language: InLanguage
) -> dict[str, Any]:
    """Why it is where it is, in plain words."""
    return why_document(await why.explain(session, actor, settings, workload_id), language)


@get("/workloads/{workload_id:str}/plan", guards=[READ])
async def plan_of_workload(
    session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId, language: InLanguage
) -> dict[str, Any]:
    """The plan that was handed to Slurm (`handedOver`), or what it would be now."""
    workload = await workloads.get(session, actor, workload_id)
    spec = load_resolved(workload.resolved or workload.spec)
    if workload.attempts:
        handed_over = workload.attempts[-1].plan
        words_en, words_ko = planning.plan_words(planning.plan_of(handed_over), spec, settings)
        preview = PlanPreview(handed_over, words_ko, words_en)
    else:
        preview = await _preview(session, settings, workload, with_scripts=False)
    return {**preview_document(preview, language), "handedOver": bool(workload.attempts)}


@get("/workloads/{workload_id:str}/script", guards=[READ], media_type=MediaType.TEXT)
async def script(session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId) -> str:
    """The batch scripts that Slurm got, one after another; before there are any, as they would be made now, with stand-ins."""
    workload = await workloads.get(session, actor, workload_id)
    if found := await scripts.stored(session, actor, workload):
        return "\n".join(one.text for one in found)
    preview = await _preview(session, settings, workload, with_scripts=True)
    return "\n".join(preview.scripts)


async def _preview(session: AsyncSession, settings: Settings, workload: Workload, *, with_scripts: bool) -> PlanPreview:
    return await planning.preview(
        session,
        settings,
        load_resolved(workload.resolved or workload.spec),
        form=workload.options.get("form", "auto"),
        smallest=workload.options.get("smallest", False),
        account=workload.owner.slurm_account,
        time_limit_min=workload.time_limit_min,
        with_scripts=with_scripts,
    )


ROUTES = [
    plan,
    submit,
    dry_run,
    list_workloads,
    show,
    cancel,
    rerun,
    events,
    explain,
    plan_of_workload,
    script,
]
