"""Denied attempts in the audit log: who was refused which request, and why; bounded by portal.services.refusals."""

from __future__ import annotations

import structlog
from litestar import Litestar
from litestar.types import Scope
from sqlalchemy.exc import OperationalError

from portal.db.engine import transaction
from portal.services import refusals
from portal.services.audit import Action, Actor
from portal.services.errors import Forbidden
from portal.web.requestid import request_id_of

_log = structlog.get_logger("portal.web")


async def write_down(error: Exception, scope: Scope) -> None:
    """After a request of a known person was refused; the refusal is answered even where it cannot be written down."""
    actor = scope.get("user")
    if not isinstance(error, Forbidden) or not isinstance(actor, Actor):
        return
    app: Litestar = scope["litestar_app"]
    path, method = _printable(scope["path"]), scope.get("method", "")
    facts = {"method": method, "path": path, "code": error.code, "why": error.message_en}
    try:
        async with transaction(app.state.sessions) as session:
            await refusals.note(session, actor, Action.REQUEST_REFUSED, "request", f"{method} {path}", facts)
    except OperationalError as trouble:
        _log.error("refusal not audited", path=path, request_id=request_id_of(scope), error=str(trouble.orig))


def _printable(text: str) -> str:
    """No database takes a NUL, no person reads control characters."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
