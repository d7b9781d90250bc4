"""The state of an image, as a part of a page that follows the daemon's answer by itself, and as JSON for scripts.

Both are asked with `registry` and `tag`; a POST has the registry looked at, a GET only tells what is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from litestar import Response, get, post
from litestar.params import JSONBody, QueryParameter
from pydantic import BaseModel, ConfigDict, Field

from portal.services import imagechecks
from portal.services.errors import Invalid
from portal.services.imagechecks import UNCHECKED, Check
from portal.web.body import check_input
from portal.web.context import Asker, FormData, PageFrame, Session, SiteSettings
from portal.web.pageguards import VISIT, VISIT_SUBMIT
from portal.web.rendering import PageContext, shown

Registry = Annotated[str, QueryParameter(max_length=400, description="Registry address and repository.")]
Tag = Annotated[str, QueryParameter(max_length=128, description="Tag.")]


@dataclass(frozen=True)
class ImageState(PageContext):
    """One image's state; while it is being looked up the part asks again."""

    template: ClassVar[str] = "components/imagestate.html"
    check: Check
    registry: str
    tag: str


class Image(BaseModel):
    """Which image."""

    model_config = ConfigDict(extra="forbid", strict=True)
    registry: Annotated[str, Field(max_length=400)]
    tag: Annotated[str, Field(max_length=128)]


@post("/image-checks", guards=[VISIT_SUBMIT], status_code=200, include_in_schema=False)
async def ask(
    session: Session, actor: Asker, settings: SiteSettings, frame: PageFrame, fields: FormData
) -> Response[str]:
    """Have it looked at. What is half typed is no error here: the form says so when it is sent."""
    registry, tag = fields.get("registry", "").strip()[:400], fields.get("tag", "").strip()[:128]
    try:
        check = await imagechecks.ask(session, actor, settings, registry, tag)
    except Invalid as error:
        check = Check("", UNCHECKED, message=error.message_ko if frame.language == "ko" else error.message_en)
    return shown(frame, ImageState(check, registry, tag))


@get("/image-checks", guards=[VISIT], include_in_schema=False)
async def look(
    session: Session, settings: SiteSettings, frame: PageFrame, registry: Registry, tag: Tag
) -> Response[str]:
    """What is known by now."""
    return shown(frame, ImageState(await imagechecks.look(session, settings, registry, tag), registry, tag))


@post("/api/image-checks", guards=[VISIT_SUBMIT], before_request=check_input, status_code=200, include_in_schema=False)
async def ask_json(session: Session, actor: Asker, settings: SiteSettings, data: JSONBody[Image]) -> dict[str, Any]:
    """Have it looked at, for a page's script."""
    return (await imagechecks.ask(session, actor, settings, data.registry, data.tag)).as_json()


@get("/api/image-checks", guards=[VISIT], include_in_schema=False)
async def look_json(session: Session, settings: SiteSettings, registry: Registry, tag: Tag) -> dict[str, Any]:
    """What is known by now, for a page's script."""
    return (await imagechecks.look(session, settings, registry, tag)).as_json()


ROUTES = [ask, look, ask_json, look_json]
