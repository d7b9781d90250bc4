"""Container images known to the portal."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import delete, get
from litestar.params import FromPath, QueryParameter

from portal.services import images
from portal.web.context import Asker, PageNumber, PageSize, Session, page_document
from portal.web.guards import APPROVE, READ
from portal.web.schemas import image_document


@get("/images", guards=[READ])
async def list_images(
    session: Session,
    q: Annotated[str, QueryParameter(max_length=200, description="Part of reference or digest.")] = "",
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """Images by reference, with the state of their conversion."""
    found = await images.page(session, q, page, size)
    return page_document([image_document(image) for image in found.items], page, size, found.total)


@delete("/images/{digest:str}", guards=[APPROVE], status_code=202)
async def remove_image(session: Session, actor: Asker, digest: FromPath[str]) -> dict[str, Any]:
    """Remove an unused image's SIF; the daemon does it soon."""
    return image_document(await images.remove(session, actor, digest))


ROUTES = [list_images, remove_image]
