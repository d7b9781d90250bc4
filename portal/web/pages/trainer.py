"""P7: a ready App becomes a request; what it will meet is shown before anything is pressed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from litestar import Request, Response, get, post
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import TrainingTemplate
from portal.domain.approval import approval_sentence
from portal.services import appview, edits, operators, trainer, trainingtemplates, workloads
from portal.services.appview import AppLine, Wanted
from portal.services.audit import Actor
from portal.services.errors import Invalid, ServiceError
from portal.services.operators import OperatorLine
from portal.services.site import site_policy
from portal.services.trainer import Opened, Outlook
from portal.services.workloads import SubmitRequest
from portal.settings import Settings
from portal.spec.problems import Problem
from portal.web.body import MAX_UPLOAD_BYTES
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.frame import Frame
from portal.web.pageguards import VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.pages.operatorpages import uploaded
from portal.web.rendering import PageContext, shown
from portal.web.tables import Column, Table, TableQuery
from portal.web.trainerfields import Fields, count, filled, settled, template_of, with_template
from portal.web.trainerreading import Reading, read
from portal.web.trainerview import View, view_of

Asked = Request[Any, Any, Any]
ROWS = 50
KEY_CHARS = 128
_COLUMNS = (
    Column(N_("Name"), "name"),
    Column(N_("Version")),
    Column(N_("Maximum resources")),
    Column(N_("Owner"), "owner"),
    Column(N_("Updated"), "updated"),
    Column(N_("My last request")),
)


@dataclass(frozen=True)
class ChoosePage(PageContext):
    """P7 before an App is chosen: those that are ready."""

    template: ClassVar[str] = "trainer/choose.html"
    nav: ClassVar[str] = "trainer"
    table: Table
    lines: tuple[AppLine, ...]
    last_runs: Mapping[str, datetime]
    templates: tuple[TrainingTemplate, ...]


@dataclass(frozen=True)
class TrainerPage(PageContext):
    """P7, the form and what will happen; `edit` is the request that is corrected, `source` the one that is cloned.

    `operators` are one's own, `operator_mb` how large an uploaded one may be, 0 where the site runs none.
    `tried`: it was sent, so what is wrong is said on top too; while one types nothing may push the form down.
    """

    template: ClassVar[str] = "trainer/trainer.html"
    nav: ClassVar[str] = "trainer"
    form: Form
    begun: Opened
    view: View
    outlook: Outlook | None
    longest_min: int | None
    source: str
    edit: str
    tried: bool
    operators: tuple[OperatorLine, ...]
    operator_mb: int
    templates: tuple[TrainingTemplate, ...]

    @property
    def approval_words(self) -> tuple[str, str]:
        """(Korean, English): what the gate will say."""
        return approval_sentence(self.outlook.approval if self.outlook else ())


@dataclass(frozen=True)
class _Visit:
    """What every step of the Trainer needs."""

    session: AsyncSession
    actor: Actor
    settings: Settings
    frame: Frame


@get("/trainer", guards=[VISIT_SUBMIT], include_in_schema=False)
async def trainer_form(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    app: Annotated[str, QueryParameter(max_length=64, description="Which App; without one: choose.")] = "",
    v: Annotated[str, QueryParameter(max_length=64, description="Which version; default: the newest.")] = "",
    source: Annotated[str, QueryParameter(name="from", max_length=64, description="The request to clone.")] = "",
    edit: Annotated[str, QueryParameter(max_length=64, description="The waiting request to correct.")] = "",
) -> Response[str]:
    """P7."""
    visit = _Visit(session, actor, settings, frame)
    if not (app or source or edit):
        return await _choose(request, visit)
    begun = await trainer.opened(session, actor, app, v, source=source, edit=edit)
    policy = site_policy(settings)
    name = begun.source.name if begun.source and edit else f"{begun.spec.name}-v{begun.runs + 1}"
    fields = filled(begun, name=name, time_limit_min=settings.policy.time_limit_min, cpus=policy.cpus)
    kept = {"app": begun.version.app_id, "v": begun.version.version, "from": source, "edit": edit}
    fields |= kept | {"key": secrets.token_urlsafe(24)}
    return shown(frame, await _page(visit, begun, fields))


async def _choose(request: Asked, visit: _Visit) -> Response[str]:
    query = TableQuery.of(request, filters={"q": None}, sorts=appview.SORTS, default_sort="-updated", size=ROWS)
    wanted = Wanted(q=query.filter("q"), runnable=True, sort=query.sort, descending=query.descending)
    found = await appview.page(visit.session, visit.actor, visit.settings, wanted, query.number, query.size)
    runs = await trainer.last_runs(visit.session, visit.actor, [line.app.id for line in found.items])
    table = Table(query, _COLUMNS, found.total, len(found.items))
    templates = await trainingtemplates.offered(visit.session, visit.actor)
    return shown(visit.frame, ChoosePage(table, tuple(found.items), runs, templates))


@post(
    "/trainer/preview",
    guards=[VISIT_SUBMIT],
    include_in_schema=False,
    status_code=200,
    request_max_body_size=MAX_UPLOAD_BYTES,
)
async def preview(
    session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str]:
    """The form as it is now, set right, with what would happen; nothing is kept. `load` puts a template's settings in."""
    visit = _Visit(session, actor, settings, frame)
    begun = await _begun(visit, fields)
    if fields.pop("load", "") and fields.get("template"):
        template = await trainingtemplates.get(session, actor, count(fields["template"]) or 0)
        fields = with_template(fields, template.fields)
    page = await _page(visit, begun, settled(fields, begun, site_policy(settings).cpus))
    return shown(frame, page, block="live" if frame.htmx else "")


@post(
    "/trainer/templates",
    guards=[VISIT_SUBMIT],
    include_in_schema=False,
    status_code=200,
    request_max_body_size=MAX_UPLOAD_BYTES,
)
async def save_template(
    session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str]:
    """Keep the settings under a name; the form stays as it is."""
    visit = _Visit(session, actor, settings, frame)
    begun = await _begun(visit, fields)
    fields = settled(fields, begun, site_policy(settings).cpus)
    block, name, shared = "live" if frame.htmx else "", fields.get("template_name", ""), "template_shared" in fields
    try:
        made = await trainingtemplates.save(session, actor, name, template_of(fields), shared=shared)
    except ServiceError as error:
        return shown(frame, await _page(visit, begun, fields, error), status=error.status, block=block)
    fields |= {"template": str(made.id), "template_name": "", "kept": made.name}
    return shown(frame, await _page(visit, begun, fields), block=block)


@post("/trainer", guards=[VISIT_SUBMIT], include_in_schema=False, request_max_body_size=MAX_UPLOAD_BYTES)
async def submit(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str] | Response[None]:
    """Ask for it, or save a corrected request; with anything wrong the form comes back with all of it."""
    visit = _Visit(session, actor, settings, frame)
    begun = await _begun(visit, fields)
    fields = settled(fields, begun, site_policy(settings).cpus)
    try:
        fields |= await _chosen_operator(request, visit)
    except ServiceError as error:
        return shown(frame, await _page(visit, begun, fields, error, tried=True), status=error.status)
    asked, reading = read(fields, begun, fields.get("key", "")[:KEY_CHARS] or None)
    if reading.problems:
        return shown(frame, await _page(visit, begun, fields, tried=True), status=Invalid.status)
    edited = fields.get("edit", "")
    try:
        made = (
            await edits.edit(session, actor, settings, edited, asked)
            if edited
            else await workloads.submit(session, actor, settings, asked)
        )
    except ServiceError as error:
        return shown(frame, await _page(visit, begun, fields, error, tried=True), status=error.status)
    words = translations(frame.language).gettext
    toast = words("%(id)s changed") if edited else words("%(id)s submitted")
    return to(request, f"/workloads/{made.id}", toast=toast % {"id": made.id})


async def _chosen_operator(request: Asked, visit: _Visit) -> Fields:
    """A chosen file is kept at once, so that it stays chosen whatever else is wrong with the form. Raises Invalid."""
    given = await uploaded(request)
    if given is None:
        return {}
    filename, data = given
    made = await operators.upload(visit.session, visit.actor, visit.settings, filename=filename, data=data)
    return {"operator": operators.reference(made)}


async def _begun(visit: _Visit, fields: Mapping[str, str]) -> Opened:
    app, version = fields.get("app", ""), fields.get("v", "")
    source, edit = fields.get("from", ""), fields.get("edit", "")
    return await trainer.opened(visit.session, visit.actor, app, version, source=source, edit=edit)


async def _page(
    visit: _Visit, begun: Opened, fields: Fields, error: ServiceError | None = None, *, tried: bool = False
) -> TrainerPage:
    """The page of these fields; `error` is why they were refused, else what is wrong is looked for."""
    asked, reading = read(fields, begun, None)
    outlook, problems = await _outlook(visit, begun, asked, reading)
    form = _form(visit.frame, fields, problems, reading, error)
    view = view_of(fields, begun, outlook, visit.frame.glance.gpus, site_policy(visit.settings).cpus)
    longest = await trainer.longest_min(visit.session, visit.settings)
    policy = visit.settings.operators
    return TrainerPage(
        form,
        begun,
        view,
        outlook,
        longest,
        fields.get("from", ""),
        fields.get("edit", ""),
        tried,
        tuple(await operators.mine(visit.session, visit.actor)) if policy.image else (),
        policy.max_mb if policy.image else 0,
        await trainingtemplates.offered(visit.session, visit.actor),
    )


async def _outlook(
    visit: _Visit, begun: Opened, asked: SubmitRequest, reading: Reading
) -> tuple[Outlook | None, list[Problem]]:
    """What would happen, as long as everything can be read; else everything that is wrong."""
    try:
        found = await trainer.outlook(visit.session, visit.actor, visit.settings, asked, begun)
    except Invalid as error:
        return None, [*reading.problems, *reading.at_fields(error.problems)]
    return (None if reading.problems else found), list(reading.problems)


def _form(
    frame: Frame, fields: Fields, problems: Sequence[Problem], reading: Reading, error: ServiceError | None
) -> Form:
    if error is not None and not error.problems:
        return refused(error, frame.language, fields)
    found = reading.at_fields(error.problems) if error else problems
    wrong = Invalid("invalid_input", "", "", [one for one in found if one.severity == "error"])
    return refused(wrong, frame.language, fields)


ROUTES = [trainer_form, preview, save_template, submit]
