"""The audit log for admins: its rows, how far it is sealed, and verifications of it."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get, post
from litestar.params import FromPath, QueryParameter

from portal.domain.auditchain import moment
from portal.services import auditchecks, auditlog
from portal.web.auditfiles import audit_document, check_document
from portal.web.context import Asker, InLanguage, Session
from portal.web.guards import APPROVE


@get("/audit", guards=[APPROVE])
async def audit_rows(
    session: Session,
    actor: Asker,
    who: Annotated[str, QueryParameter(name="actor", max_length=80, description="Part of the actor's name.")] = "",
    action: Annotated[str, QueryParameter(max_length=48, description="For example user.change.")] = "",
    about: Annotated[str, QueryParameter(name="object", max_length=100, description="An id, or type:id.")] = "",
    result: Annotated[str, QueryParameter(max_length=16, description="ok, refused or failed.")] = "",
    q: Annotated[str, QueryParameter(max_length=200, description="Anywhere in the record.")] = "",
    before: Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1, description="Rows before this id.")] = None,
) -> dict[str, Any]:
    """The audit log, newest first, 100 at a time; go on with `before` = `older` while that is not null."""
    wanted = auditlog.Wanted(actor=who, action=action, object=about, result=result, q=q)
    found = await auditlog.page(session, actor, wanted, before=before)
    return {"items": [audit_document(row) for row in found.rows], "older": found.older}


@get("/audit/seals", guards=[APPROVE])
async def seals(session: Session, actor: Asker, language: InLanguage) -> dict[str, Any]:
    """How far the log is sealed: `seals`, `head`, `sealedAt`, rows that wait, and the newest verification."""
    found = await auditchecks.state(session, actor)
    return {
        "seals": found.last.number if found.last else 0,
        "head": found.last.head if found.last else None,
        "sealedAt": moment(found.last.sealed_at) if found.last else None,
        "waiting": found.waiting,
        "check": check_document(found.check, language) if found.check else None,
    }


@post("/audit/checks", guards=[APPROVE], status_code=202)
async def ask(session: Session, actor: Asker, language: InLanguage) -> dict[str, Any]:
    """Ask for a verification; the daemon takes it up within seconds."""
    return check_document(await auditchecks.ask(session, actor), language)


@get("/audit/checks/{check_id:int}", guards=[APPROVE])
async def check(session: Session, actor: Asker, language: InLanguage, check_id: FromPath[int]) -> dict[str, Any]:
    """One verification: `state` is `wanted`, `looking` or `done`; `findings` name every row and seal that is wrong."""
    return check_document(await auditchecks.get(session, actor, check_id), language)


ROUTES = [audit_rows, seals, ask, check]
