"""P4: the Builder's page, and what its script asks for while one draws: save, check, plan, publish, discard, import.

Those requests lie under /api/builder: they answer JSON, and problem+json when something is wrong, to a browser's session.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from litestar import Request, Response, Router, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler
from pydantic import BaseModel, ConfigDict, Field

from portal.services import apps, building, drafts, placing, planning
from portal.services.drafts import Opened
from portal.spec.load import load_spec
from portal.spec.problems import Problem, SpecError
from portal.web.body import check_input, invalid
from portal.web.context import Asker, InLanguage, PageFrame, Session, SiteSettings
from portal.web.pageguards import TOKEN_HEADER, VISIT, VISIT_SUBMIT
from portal.web.problems import problem_document
from portal.web.rendering import PageContext, shown

JsonDict = dict[str, Any]
ACTIONS_PATH = "/api/builder"


@dataclass(frozen=True)
class BuilderPage(PageContext):
    """P4; `data` is what the script starts from, as JSON."""

    template: ClassVar[str] = "builder/builder.html"
    nav: ClassVar[str] = "apps"
    app_id: str
    name: str
    may_edit: bool
    data: str


class Save(BaseModel):
    """What is drawn, on top of which revision."""

    model_config = ConfigDict(extra="forbid", strict=True)
    revision: Annotated[int, Field(ge=0)]
    spec: JsonDict
    layout: JsonDict


class AtRevision(BaseModel):
    """Which revision is meant."""

    model_config = ConfigDict(extra="forbid", strict=True)
    revision: Annotated[int, Field(ge=0)]


class Plan(BaseModel):
    """The plan of a draft as it is drawn."""

    model_config = ConfigDict(extra="forbid", strict=True)
    spec: JsonDict
    smallest: bool = False


class Pair(BaseModel):
    """Two specs."""

    model_config = ConfigDict(extra="forbid", strict=True)
    old: JsonDict
    new: JsonDict


@get("/apps/{app_id:str}/builder", guards=[VISIT], include_in_schema=False)
async def builder(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    app_id: FromPath[str],
    v: Annotated[str | None, QueryParameter(max_length=64, description="A version to look at.")] = None,
) -> Response[str]:
    """P4."""
    found = await drafts.opened(session, actor, app_id, v)
    data = {
        "app_id": app_id,
        "user": actor.name,
        "spec": found.spec,
        "layout": found.layout,
        "revision": found.revision,
        "may_edit": found.may_edit,
        "language": frame.language,
        "site": await building.site_facts(session, settings),
        "sources": await building.sources(session, actor, found.spec) if found.may_edit else {},
        "palette": await placing.palette(session) if found.may_edit else [],
        "urls": _urls(app_id, found),
        "csrf": {"header": TOKEN_HEADER, "token": frame.form_token},
    }
    return shown(frame, BuilderPage(app_id, found.app.name, found.may_edit, json.dumps(data, ensure_ascii=False)))


def _urls(app_id: str, found: Opened) -> dict[str, str]:
    here = f"{ACTIONS_PATH}/{app_id}"
    ready = f"&v={found.base_version}" if found.base_version else ""
    asked = ("draft", "validate", "plan", "publish", "discard", "importable", "difference")
    return {name: f"{here}/{name}" for name in asked} | {
        "app": f"/apps/{app_id}",
        "trainer": f"/trainer?app={app_id}{ready}",
        "library": "/components",
        "image_checks": "/api/image-checks",
    }


@get("/draft", guards=[VISIT])
async def draft(session: Session, actor: Asker, app_id: FromPath[str]) -> JsonDict:
    """The draft as it is now."""
    found = await drafts.opened(session, actor, app_id)
    return {"revision": found.revision, "spec": found.spec, "layout": found.layout, "saved_by": found.saved_by}


@put("/draft", guards=[VISIT_SUBMIT])
async def save(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    language: InLanguage,
    app_id: FromPath[str],
    data: JSONBody[Save],
) -> JsonDict:
    """Keep what is drawn; the answer has the new revision and every problem of the draft."""
    kept = await drafts.save(session, actor, app_id, revision=data.revision, spec=data.spec, layout=data.layout)
    found = (await placing.check(session, actor, settings, kept.spec.encode())).problems
    return {"revision": kept.revision, "problems": _documents(found, language)}


@post("/validate", guards=[VISIT], status_code=200, opt={"spec_body": True})
async def validate(
    request: Request[Any, Any, Any],
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    language: InLanguage,
    app_id: FromPath[str],
) -> JsonDict:
    """Every problem of a spec; nothing is kept."""
    await apps.get(session, actor, app_id)
    found = await placing.check(session, actor, settings, await request.body())
    return {"valid": found.valid, "problems": _documents(found.problems, language)}


@post("/plan", guards=[VISIT], status_code=200)
async def plan(
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    language: InLanguage,
    app_id: FromPath[str],
    data: JSONBody[Plan],
) -> JsonDict:
    """What would run where, in words."""
    await apps.get(session, actor, app_id)
    try:
        loaded = load_spec(data.spec)
    except SpecError as error:
        raise invalid(error.problems) from error
    found = await planning.preview(session, settings, loaded.spec, smallest=data.smallest)
    return {"words": found.words_ko if language == "ko" else found.words_en, "plan": found.plan}


@post("/publish", guards=[VISIT_SUBMIT], status_code=200)
async def publish(
    session: Session, actor: Asker, settings: SiteSettings, app_id: FromPath[str], data: JSONBody[AtRevision]
) -> JsonDict:
    """The draft becomes an immutable version."""
    made = await drafts.published(session, actor, settings, app_id, revision=data.revision)
    return {"version": made.version}


@post("/discard", guards=[VISIT_SUBMIT], status_code=200)
async def discard(session: Session, actor: Asker, app_id: FromPath[str], data: JSONBody[AtRevision]) -> JsonDict:
    """The draft is forgotten."""
    await drafts.discard(session, actor, app_id, revision=data.revision)
    return {}


@get("/importable", guards=[VISIT])
async def importable(
    session: Session,
    actor: Asker,
    app_id: FromPath[str],
    q: Annotated[str, QueryParameter(max_length=128, description="Part of id or name.")] = "",
    app: FromQuery[str] = "",
    v: FromQuery[str] = "",
) -> JsonDict:
    """Apps whose Tasks can be taken over; or the spec of one version of one, and the cycle that importing it would make.

    Raises NotFound for an App one cannot see.
    """
    if app:
        source = await building.source(session, actor, app_id, app, v)
        return {"spec": source.version.spec, "chain": source.chain}
    await apps.get(session, actor, app_id)
    found = await building.importable(session, actor, app_id, q)
    return {"apps": [asdict(one) for one in found]}


@post("/difference", guards=[VISIT], status_code=200)
async def difference(session: Session, actor: Asker, app_id: FromPath[str], data: JSONBody[Pair]) -> JsonDict:
    """What differs between two specs, group by group: how an import is, and how it would be after its update."""
    await apps.get(session, actor, app_id)
    return {"groups": [asdict(group) for group in building.difference(data.old, data.new)]}


def _documents(found: tuple[Problem, ...], language: Any) -> list[dict[str, str]]:
    return [problem_document(problem, language) for problem in found]


ACTIONS = Router(
    path=f"{ACTIONS_PATH}/{{app_id:str}}",
    route_handlers=[draft, save, validate, plan, publish, discard, importable, difference],
    before_request=check_input,
    include_in_schema=False,
)
ROUTES: list[ControllerRouterHandler] = [builder, ACTIONS]
