"""The maintenance switch."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import delete, get, post
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict, Field

from portal.services import maintenance
from portal.web.context import Asker, InLanguage, Session
from portal.web.guards import APPROVE, READ
from portal.web.schemas_cluster import maintenance_document


class MaintenanceBody(BaseModel):
    """Why; everybody who waits reads it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=maintenance.REASON_MAX_CHARS)]


@get("/maintenance", guards=[READ])
async def show(session: Session, language: InLanguage) -> dict[str, Any]:
    """Whether hand-over to Slurm is stopped, since when, by whom and why."""
    return maintenance_document(await maintenance.current(session), language)


@post("/maintenance", guards=[APPROVE], status_code=200)
async def begin(
    session: Session, actor: Asker, language: InLanguage, data: JSONBody[MaintenanceBody]
) -> dict[str, Any]:
    """Stop hand-over to Slurm; everything else goes on."""
    return maintenance_document(await maintenance.begin(session, actor, data.reason), language)


@delete("/maintenance", guards=[APPROVE], status_code=200)
async def end(session: Session, actor: Asker, language: InLanguage) -> dict[str, Any]:
    """Let hand-over go on."""
    await maintenance.end(session, actor)
    return maintenance_document(None, language)


ROUTES = [show, begin, end]
