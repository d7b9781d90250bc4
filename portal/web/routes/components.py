"""The component library: list, one component with its versions and uses, registering, new versions, deprecating."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from pydantic import BaseModel, ConfigDict, Field

from portal.db.models import Component
from portal.services import components, componentview
from portal.services.components import About, Registration
from portal.services.componentview import ComponentDetail, VersionLine, Wanted
from portal.spec.library import MAX_PARAMS, MAX_TEXT_CHARS, Content, Param, ParamType
from portal.web.context import Asker, PageNumber, PageSize, Session, SiteSettings, page_document
from portal.web.guards import READ, SUBMIT
from portal.web.schemas import time_text

JsonDict = dict[str, Any]
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class Image(_Body):
    """Registry address and tag, as in a spec."""

    registry: Annotated[str, Field(max_length=400)]
    tag: Annotated[str, Field(max_length=128)]


class Parameter(_Body):
    """One parameter: its type, default, range and help."""

    name: Annotated[str, Field(max_length=128)]
    type: ParamType = "text"
    default: Any = None
    min: float | None = None
    max: float | None = None
    help: Annotated[str, Field(max_length=2000)] = ""


class VersionBody(_Body):
    """What a version fixes; `resources` as in a spec."""

    version: Annotated[str, Field(max_length=64)]
    image: Image
    resources: JsonDict
    params: Annotated[list[Parameter], Field(max_length=MAX_PARAMS)] = []
    command: list[str] | None = None
    args: list[str] | None = None
    note: Text = ""

    @property
    def content(self) -> Content:
        """As the services want it."""
        params = tuple(Param(**one.model_dump()) for one in self.params)
        command = None if self.command is None else tuple(self.command)
        args = None if self.args is None else tuple(self.args)
        return Content(self.image.registry, self.image.tag, self.resources, params, command, args)


class ComponentBody(VersionBody):
    """A component with its first version; without `id` one is made up."""

    id: Annotated[str, Field(max_length=64)] = ""
    name: Annotated[str, Field(max_length=128)]
    description: Text = ""
    help: Text = ""
    tags: Annotated[list[str], Field(max_length=64)] = []


class AboutBody(_Body):
    """What may be changed always; what is not given stays. `revision` is the one that was read."""

    revision: int
    description: Text | None = None
    help: Text | None = None
    tags: Annotated[list[str], Field(max_length=64)] | None = None


@get("/components", guards=[READ])
async def list_components(
    session: Session,
    actor: Asker,
    q: Annotated[str, QueryParameter(max_length=200, description="Part of name, id, description or image.")] = "",
    tag: Annotated[str, QueryParameter(max_length=64, description="A tag.")] = "",
    gpu: Annotated[str, QueryParameter(max_length=64, description="A GPU type of the default resources.")] = "",
    mine: FromQuery[bool] = False,
    deprecated: Annotated[Literal["", "only", "all"], QueryParameter(description="Deprecated ones too.")] = "",
    page: PageNumber = 1,
    size: PageSize = 50,
) -> JsonDict:
    """The library by name, each component with its newest version."""
    wanted = Wanted(q=q, tag=tag, gpu=gpu, mine=mine, deprecated=deprecated)
    found = await componentview.page(session, actor, wanted, page, size)
    items = [
        {
            **_component(line.component),
            "newest": _version(line.newest),
            "usedIn": {"apps": line.uses.apps, "tasks": line.uses.tasks},
        }
        for line in found.items
    ]
    return page_document(items, page, size, found.total)


@post("/components", guards=[SUBMIT])
async def register(session: Session, actor: Asker, settings: SiteSettings, data: JSONBody[ComponentBody]) -> JsonDict:
    """Register a component; its image is checked soon."""
    about = About(data.description, data.help, tuple(data.tags))
    wanted = Registration(data.name, data.version, data.content, about, data.note, data.id)
    made = await components.register(session, actor, settings, wanted)
    return _detail(await componentview.detail(session, actor, made.id))


@get("/components/{component_id:str}", guards=[READ])
async def show_component(session: Session, actor: Asker, component_id: FromPath[str]) -> JsonDict:
    """One component with its versions, newest first."""
    return _detail(await componentview.detail(session, actor, component_id))


@patch("/components/{component_id:str}", guards=[SUBMIT])
async def change_component(
    session: Session, actor: Asker, settings: SiteSettings, component_id: FromPath[str], data: JSONBody[AboutBody]
) -> JsonDict:
    """Change description, help or tags."""
    old = components.about_of(await components.get(session, actor, component_id))
    about = About(
        old.description if data.description is None else data.description,
        old.help if data.help is None else data.help,
        old.tags if data.tags is None else tuple(data.tags),
    )
    await components.change(session, actor, settings, component_id, revision=data.revision, about=about)
    return _detail(await componentview.detail(session, actor, component_id))


@post("/components/{component_id:str}/versions", guards=[SUBMIT])
async def make_version(
    session: Session, actor: Asker, settings: SiteSettings, component_id: FromPath[str], data: JSONBody[VersionBody]
) -> JsonDict:
    """Make the next version; `note` says what changed."""
    await components.new_version(
        session, actor, settings, component_id, version=data.version, content=data.content, note=data.note
    )
    return _detail(await componentview.detail(session, actor, component_id))


@get("/components/{component_id:str}/uses", guards=[READ])
async def list_uses(
    session: Session, actor: Asker, component_id: FromPath[str], page: PageNumber = 1, size: PageSize = 50
) -> JsonDict:
    """Where it is placed: Apps and their versions (`appVersion` null: the draft) and Tasks; private ones are only counted."""
    found = await componentview.uses(session, actor, component_id, page, size)
    items = [
        {
            "appId": line.use.app_id,
            "appName": line.use.app.name,
            "appVersion": line.use.app_version,
            "appStatus": line.status,
            "taskId": line.use.task_id,
            "nodeId": line.use.node_id,
            "componentVersion": line.use.component_version,
            "newerVersion": line.behind,
        }
        for line in found.lines.items
    ]
    return page_document(items, page, size, found.lines.total) | {"privateApps": found.private_apps}


@post("/components/{component_id:str}/deprecate", guards=[SUBMIT], status_code=200)
async def deprecate(session: Session, actor: Asker, component_id: FromPath[str]) -> JsonDict:
    """Offer it no more; Apps that place it go on working."""
    return _component(await components.deprecate(session, actor, component_id))


@post("/components/{component_id:str}/restore", guards=[SUBMIT], status_code=200)
async def restore(session: Session, actor: Asker, component_id: FromPath[str]) -> JsonDict:
    """Offer it again."""
    return _component(await components.restore(session, actor, component_id))


def _detail(found: ComponentDetail) -> JsonDict:
    return {
        **_component(found.component),
        "help": found.component.help,
        "usedIn": {"apps": found.uses.apps, "tasks": found.uses.tasks},
        "locked": found.locked,
        "versions": [_version(line) for line in found.versions],
    }


def _component(component: Component) -> JsonDict:
    return {
        "id": component.id,
        "name": component.name,
        "description": component.description,
        "tags": component.tags,
        "owner": {"username": component.owner.username, "displayName": component.owner.display_name},
        "createdAt": time_text(component.created_at),
        "deprecatedAt": time_text(component.deprecated_at),
        "revision": component.revision,
    }


def _version(line: VersionLine) -> JsonDict:
    version = line.version
    return {
        "version": version.version,
        "image": {"registry": version.repository, "tag": version.tag, "digest": version.digest},
        "imageState": line.check.state,
        "resources": version.resources,
        "resourcesText": line.resources,
        "params": version.params,
        "command": version.command,
        "args": version.args,
        "note": version.note,
        "createdAt": time_text(version.created_at),
        "createdBy": version.created_by.username,
    }


ROUTES = [
    list_components,
    register,
    show_component,
    change_component,
    make_version,
    list_uses,
    deprecate,
    restore,
]
