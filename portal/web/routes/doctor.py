"""Checkups of the whole system, for admins."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get, post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, ConfigDict, Field

from portal.services import doctor
from portal.services.doctor import DEFAULT_DAYS, Wishes
from portal.web.context import Asker, InLanguage, Session
from portal.web.guards import APPROVE
from portal.web.schemas_cluster import checkup_document


class DoctorBody(BaseModel):
    """What to look at."""

    model_config = ConfigDict(extra="forbid")

    reconcile: Annotated[bool, Field(description="Also compare portal, Slurm and S3.")] = False
    contents: Annotated[bool, Field(description="Also read every stored model and compare its sha256.")] = False
    days: Annotated[int, Field(ge=1, le=3650, description="How far back ended workloads are compared.")] = DEFAULT_DAYS


@post("/doctor", guards=[APPROVE], status_code=202)
async def ask(session: Session, actor: Asker, language: InLanguage, data: JSONBody[DoctorBody]) -> dict[str, Any]:
    """Ask for a checkup; the daemon takes it up within seconds."""
    wishes = Wishes(reconcile=data.reconcile, contents=data.contents, days=data.days)
    return checkup_document(await doctor.ask(session, actor, wishes), language)


@get("/doctor", guards=[APPROVE])
async def newest(session: Session, actor: Asker, language: InLanguage) -> dict[str, Any]:
    """The newest checkup that is done."""
    return checkup_document(await doctor.newest(session, actor), language)


@get("/doctor/{checkup_id:int}", guards=[APPROVE])
async def read(session: Session, actor: Asker, language: InLanguage, checkup_id: FromPath[int]) -> dict[str, Any]:
    """One checkup: `state` is `wanted`, `looking` or `done`."""
    return checkup_document(await doctor.get(session, actor, checkup_id), language)


ROUTES = [ask, newest, read]
