"""Mismatches that the daemon is to mend, for admins: which side holds, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get, post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, ConfigDict, Field

from portal.domain.repairs import Side
from portal.services import repairs
from portal.web.context import Asker, Session
from portal.web.guards import APPROVE
from portal.web.schemas_cluster import repair_document


class RepairBody(BaseModel):
    """Which finding of the newest comparison, and whose side of it holds."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(max_length=32, description="The finding's `code`.")]
    object: Annotated[str, Field(max_length=200, description="The finding's `id`.")]
    side: Annotated[Side, Field(description="One of the finding's `offers`.")]


@post("/repairs", guards=[APPROVE], status_code=202)
async def ask(session: Session, actor: Asker, data: JSONBody[RepairBody]) -> dict[str, Any]:
    """Have the daemon take this side, after another look; one that waits already is given again."""
    return repair_document(await repairs.ask(session, actor, data.code, data.object, data.side.value))


@get("/repairs", guards=[APPROVE])
async def newest(session: Session, actor: Asker) -> dict[str, Any]:
    """The newest 20."""
    return {"items": [repair_document(one) for one in await repairs.newest(session, actor)]}


@get("/repairs/{repair_id:int}", guards=[APPROVE])
async def read(session: Session, actor: Asker, repair_id: FromPath[int]) -> dict[str, Any]:
    """One: `state` is `wanted`, `done`, `agreed` (nothing was left to mend) or `refused`."""
    return repair_document(await repairs.get(session, actor, repair_id))


ROUTES = [ask, newest, read]
