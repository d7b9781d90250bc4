"""P19: one's own Operators, an upload, and an Operator run on a finished workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, QueryParameter

from portal.db.models import OperatorVersion, Workload
from portal.services import analyses, operators, workloads
from portal.services.errors import ServiceError, invalid_field
from portal.services.operators import FIELD, OperatorLine
from portal.web.body import MAX_UPLOAD_BYTES
from portal.web.catalogue import N_, translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
MINE = "/analyses/operators"
NEW = "/analyses/new"


@dataclass(frozen=True)
class OperatorsPage(PageContext):
    """P19, My Operators."""

    template: ClassVar[str] = "analyses/operators.html"
    nav: ClassVar[str] = "analyses"
    lines: tuple[OperatorLine, ...]
    form: Form
    max_mb: int
    is_off: bool


@dataclass(frozen=True)
class NewAnalysisPage(PageContext):
    """P19, an Operator for a finished workload: a saved one, or a file."""

    template: ClassVar[str] = "analyses/new.html"
    nav: ClassVar[str] = "analyses"
    workload: Workload
    lines: tuple[OperatorLine, ...]
    form: Form
    max_mb: int
    cost: tuple[int, str, str, int]


async def uploaded(request: Asked) -> tuple[str, bytes] | None:
    """Name and content of the form's file; None where none was chosen."""
    file = (await request.form()).get(FIELD)
    if not isinstance(file, UploadFile) or not file.filename:
        return None
    return file.filename, await file.read()


@get(MINE, guards=[VISIT_SUBMIT], include_in_schema=False)
async def own_operators(session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame) -> Response[str]:
    """P19, My Operators, archived ones last."""
    return shown(frame, await _mine(session, actor, settings, Form()))


async def _mine(session: Session, actor: Asker, settings: SiteSettings, form: Form) -> OperatorsPage:
    found = await operators.mine(session, actor, archived=True)
    lines = sorted(found, key=lambda line: line.operator.archived_at is not None)
    return OperatorsPage(tuple(lines), form, settings.operators.max_mb, not settings.operators.image)


@post(MINE, guards=[VISIT_SUBMIT], include_in_schema=False, request_max_body_size=MAX_UPLOAD_BYTES)
async def upload_operator(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str] | Response[None]:
    """A file becomes an Operator or its next version."""
    try:
        given = await uploaded(request)
        made = await _kept(given, session, actor, settings, fields.get("operator_name", ""))
    except ServiceError as error:
        page = await _mine(session, actor, settings, refused(error, frame.language, fields))
        return shown(frame, page, status=error.status)
    words = translations(frame.language).gettext
    values = {"name": made.operator.name, "version": made.number}
    return to(request, MINE, toast=words(N_("%(name)s v%(version)s is saved.")) % values)


async def _kept(
    given: tuple[str, bytes] | None, session: Session, actor: Asker, settings: SiteSettings, name: str
) -> OperatorVersion:
    """The form's file, kept. Raises Invalid, also where none was chosen."""
    if given is None:
        raise invalid_field(FIELD, "no_file", "Choose a .py or .zip file.", ".py 또는 .zip 파일을 고르세요.")
    filename, data = given
    return await operators.upload(session, actor, settings, filename=filename, data=data, name=name)


@post(f"{MINE}/{{operator_id:str}}/archive", guards=[VISIT_SUBMIT], include_in_schema=False)
async def archive_operator(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, operator_id: FromPath[str]
) -> Response[None]:
    """Offer it no more; the toast takes it back."""
    operator = await operators.archive(session, actor, operator_id)
    words = translations(frame.language).gettext
    said = words(N_("%(name)s is archived.")) % {"name": operator.name}
    return to(request, MINE, toast=said, undo=f"{MINE}/{operator.id}/restore")


@post(f"{MINE}/{{operator_id:str}}/restore", guards=[VISIT_SUBMIT], include_in_schema=False)
async def restore_operator(
    request: Asked, session: Session, actor: Asker, frame: PageFrame, operator_id: FromPath[str]
) -> Response[None]:
    """Offer it again."""
    operator = await operators.archive(session, actor, operator_id, back=True)
    words = translations(frame.language).gettext
    return to(request, MINE, toast=words(N_("%(name)s is offered again.")) % {"name": operator.name})


@get(NEW, guards=[VISIT_SUBMIT], include_in_schema=False)
async def new_analysis_form(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload: Annotated[str, QueryParameter(max_length=64, description="The completed workload.")],
) -> Response[str]:
    """P19, Run analysis."""
    return shown(frame, await _new(session, actor, settings, workload, Form()))


async def _new(session: Session, actor: Asker, settings: SiteSettings, workload_id: str, form: Form) -> NewAnalysisPage:
    policy = settings.operators
    return NewAnalysisPage(
        workload=await workloads.get(session, actor, workload_id),
        lines=tuple(await operators.mine(session, actor)),
        form=form,
        max_mb=policy.max_mb,
        cost=(policy.cpus, policy.memory, policy.image, policy.time_limit_min),
    )


@post(NEW, guards=[VISIT_SUBMIT], include_in_schema=False, request_max_body_size=MAX_UPLOAD_BYTES)
async def new_analysis(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str] | Response[None]:
    """A chosen file counts before a saved Operator; it is kept as one."""
    workload_id = fields.get("workload", "")
    try:
        chosen = fields.get("operator", "")
        given = await uploaded(request)
        if given is not None or not chosen:
            chosen = operators.reference(await _kept(given, session, actor, settings, ""))
            fields["operator"] = chosen.partition(":")[0]
        made = await analyses.start(session, actor, settings, workload_id, chosen)
    except ServiceError as error:
        page = await _new(session, actor, settings, workload_id, refused(error, frame.language, fields))
        return shown(frame, page, status=error.status)
    words = translations(frame.language).gettext
    return to(request, f"/analyses/{made.run_id}", toast=words(N_("Analysis started: %(id)s")) % {"id": made.run_id})


ROUTES = [
    own_operators,
    upload_operator,
    archive_operator,
    restore_operator,
    new_analysis_form,
    new_analysis,
]
