"""P5 and P6, the forms: registering a component, changing one, and making a new version of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from litestar import Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from portal.services import building, components, componentview, imagechecks
from portal.services.audit import Actor
from portal.services.components import FIRST_VERSION, About, Registration
from portal.services.componentview import ComponentDetail
from portal.services.errors import Invalid, ServiceError
from portal.services.imagechecks import UNCHECKED, Check
from portal.settings import Settings
from portal.spec.library import PARAM_TYPES, tags_in
from portal.spec.version import next_version
from portal.web.catalogue import translations
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.forms import Form, refused
from portal.web.pageguards import VISIT_SUBMIT
from portal.web.pages.answers import to
from portal.web.pages.componentfields import PARAM_WORDS, content_in, fields_of, params_in_order, rows_in, with_fields
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
MORE_ROWS = 3


@dataclass(frozen=True)
class ComponentForm(PageContext):
    """One of the three forms: `kind` is new, edit or version. `locked`: only what does not run may be changed."""

    template: ClassVar[str] = "components/form.html"
    nav: ClassVar[str] = "components"
    kind: str
    form: Form
    rows: int
    check: Check
    gpus: tuple[str, ...]
    registries: tuple[str, ...]
    found: ComponentDetail | None = None
    locked: bool = False

    @property
    def action(self) -> str:
        """Where it is sent."""
        if self.found is None:
            return "/new-component"
        return f"/components/{self.found.component.id}/{'edit' if self.kind == 'edit' else 'new-version'}"

    @property
    def types(self) -> tuple[tuple[str, str], ...]:
        """Types of parameters: value and msgid."""
        return tuple((kind, PARAM_WORDS[kind]) for kind in PARAM_TYPES)


@get("/new-component", guards=[VISIT_SUBMIT], include_in_schema=False)
async def register_form(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    source: Annotated[str, QueryParameter(name="from", max_length=64, description="A component to copy.")] = "",
    v: Annotated[str | None, QueryParameter(max_length=64, description="Which version of it.")] = None,
) -> Response[str]:
    """P5, Register component; filled in from another one where it is a copy."""
    values = {"version": FIRST_VERSION, "memory": "16GB"}
    if source:
        found = await componentview.detail(session, actor, source, v)
        values = _values_of(found) | {"name": f"{found.component.name}-copy", "version": FIRST_VERSION}
    return shown(frame, await _page(session, settings, "new", Form(values)))


@post("/new-component", guards=[VISIT_SUBMIT], include_in_schema=False)
async def register(
    request: Asked, session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str] | Response[None]:
    """A new component; with anything wrong the form comes back with all of it."""
    fields = params_in_order(fields)
    if aside := await _aside(session, actor, settings, frame, "new", fields):
        return aside
    wanted = Registration(
        name=fields.get("name", "").strip(),
        version=fields.get("version", "").strip(),
        content=content_in(fields),
        about=_about(fields),
        note=fields.get("note", "").strip(),
        component_id=fields.get("component_id", "").strip(),
    )
    try:
        made = await components.register(session, actor, settings, wanted)
    except Invalid as error:
        return await _again(session, settings, frame, "new", fields, error)
    words = translations(frame.language).gettext("%(name)s is in the library.")
    return to(request, f"/components/{made.id}", toast=words % {"name": made.name})


@get("/components/{component_id:str}/edit", guards=[VISIT_SUBMIT], include_in_schema=False)
async def edit_form(
    session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, component_id: FromPath[str]
) -> Response[str]:
    """P6, Edit. Raises NotFound, Forbidden."""
    found = await _editable(session, actor, component_id)
    values = _values_of(found) | {"revision": str(found.component.revision)}
    return shown(frame, await _page(session, settings, "edit", Form(values), found))


@post("/components/{component_id:str}/edit", guards=[VISIT_SUBMIT], include_in_schema=False)
async def edit(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    component_id: FromPath[str],
    fields: FormData,
) -> Response[str] | Response[None]:
    """Keep what was changed; a version in use keeps its content."""
    found = await _editable(session, actor, component_id)
    fields = params_in_order(fields)
    if aside := await _aside(session, actor, settings, frame, "edit", fields, found):
        return aside
    revision = fields.get("revision", "")
    try:
        await components.change(
            session,
            actor,
            settings,
            component_id,
            revision=int(revision) if revision.isdecimal() else 0,
            about=_about(fields),
            content=None if found.locked else content_in(fields),
        )
    except ServiceError as error:
        return await _again(session, settings, frame, "edit", fields, error, found)
    return to(request, f"/components/{component_id}", toast=translations(frame.language).gettext("Saved."))


@get("/components/{component_id:str}/new-version", guards=[VISIT_SUBMIT], include_in_schema=False)
async def version_form(
    session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, component_id: FromPath[str]
) -> Response[str]:
    """P6, New version, filled in from the newest. Raises NotFound, Forbidden."""
    found = await _editable(session, actor, component_id)
    values = _values_of(found) | {"version": next_version(found.newest.version.version)}
    return shown(frame, await _page(session, settings, "version", Form(values), found))


@post("/components/{component_id:str}/new-version", guards=[VISIT_SUBMIT], include_in_schema=False)
async def make_version(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    component_id: FromPath[str],
    fields: FormData,
) -> Response[str] | Response[None]:
    """The next version; the ones before stay as they are."""
    found = await _editable(session, actor, component_id)
    fields = params_in_order(fields)
    if aside := await _aside(session, actor, settings, frame, "version", fields, found):
        return aside
    try:
        made = await components.new_version(
            session,
            actor,
            settings,
            component_id,
            version=fields.get("version", "").strip(),
            content=content_in(fields),
            note=fields.get("note", "").strip(),
        )
    except ServiceError as error:
        return await _again(session, settings, frame, "version", fields, error, found)
    words = translations(frame.language).gettext("%(name)s %(version)s is in the library.")
    toast = words % {"name": found.component.name, "version": made.version}
    return to(request, f"/components/{component_id}?tab=versions", toast=toast)


async def _editable(session: AsyncSession, actor: Actor, component_id: str) -> ComponentDetail:
    await components.editable(session, actor, component_id)
    return await componentview.detail(session, actor, component_id)


async def _aside(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    frame: PageFrame,
    kind: str,
    fields: dict[str, str],
    found: ComponentDetail | None = None,
) -> Response[str] | None:
    """Buttons of the form that do not send it, for browsers without scripts: look at the image, more parameter rows."""
    if "more" in fields:
        values = fields | {"rows": str(rows_in(fields) + MORE_ROWS)}
    elif "check" in fields:
        values = fields
    else:
        return None
    form = Form(values)
    if "check" in fields:
        try:
            registry, tag = fields.get("registry", "").strip(), fields.get("tag", "").strip()
            await imagechecks.ask(session, actor, settings, registry, tag)
        except Invalid as error:
            form = with_fields(refused(error, frame.language, values), fields)
    return shown(frame, await _page(session, settings, kind, form, found))


async def _again(
    session: AsyncSession,
    settings: Settings,
    frame: PageFrame,
    kind: str,
    fields: dict[str, str],
    error: ServiceError,
    found: ComponentDetail | None = None,
) -> Response[str]:
    form = with_fields(refused(error, frame.language, fields), fields)
    return shown(frame, await _page(session, settings, kind, form, found), status=error.status)


async def _page(
    session: AsyncSession, settings: Settings, kind: str, form: Form, found: ComponentDetail | None = None
) -> ComponentForm:
    site = await building.site_facts(session, settings)
    try:
        check = await imagechecks.look(session, settings, form.value("registry").strip(), form.value("tag").strip())
    except Invalid:
        check = Check("", UNCHECKED)
    locked = kind == "edit" and found is not None and found.locked
    rows = max(rows_in(form.values), MORE_ROWS)
    return ComponentForm(kind, form, rows, check, tuple(site["gpus"]), tuple(site["registries"]), found, locked)


def _values_of(found: ComponentDetail) -> dict[str, str]:
    about = components.about_of(found.component)
    values = fields_of(components.content_of(found.chosen.version))
    values |= {"description": about.description, "help": about.help, "tags": ", ".join(about.tags)}
    return values | {"rows": str(len(found.chosen.version.params) + 1)}


def _about(fields: dict[str, str]) -> About:
    description, text = fields.get("description", "").strip(), fields.get("help", "").strip()
    return About(description, text, tags_in(fields.get("tags", "")))


ROUTES = [register_form, register, edit_form, edit, version_form, make_version]
