"""`one login` before it has a token: ask, and come for the answer."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict, Field

from portal.services import clilogins
from portal.web.context import Session
from portal.web.guards import BEFORE_SIGN_IN
from portal.web.requestid import request_id_of
from portal.web.schemas import token_document

INTERVAL_S = 2


class LoginRequest(BaseModel):
    """A terminal that wants to act for whoever says yes in a browser."""

    model_config = ConfigDict(extra="forbid")

    challenge: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of a secret of at least 32 bytes.")]
    host: Annotated[str, Field(max_length=64, description="What the terminal's machine calls itself.")] = ""


class LoginProof(BaseModel):
    """The secret behind the challenge."""

    model_config = ConfigDict(extra="forbid")

    verifier: Annotated[str, Field(min_length=43, max_length=128, description="Whose SHA-256 was the challenge.")]


@post("/login", guards=[BEFORE_SIGN_IN], status_code=201)
async def begin_login(
    request: Request[Any, Any, Any], session: Session, data: JSONBody[LoginRequest]
) -> dict[str, Any]:
    """Ask for a token: `code` is for the person to compare at `path`, where they say yes or no."""
    client = request.client
    made = await clilogins.begin(
        session, challenge=data.challenge, host=data.host, address=client.host if client else ""
    )
    code = clilogins.shown_code(made)
    expires_in_s = int(clilogins.LASTS.total_seconds())
    return {"code": code, "path": f"/connect?code={code}", "expiresInS": expires_in_s, "intervalS": INTERVAL_S}


@post("/login/token", guards=[BEFORE_SIGN_IN], status_code=200)
async def collect_login(
    request: Request[Any, Any, Any], session: Session, data: JSONBody[LoginProof]
) -> Response[dict[str, Any]]:
    """The token, once, after somebody said yes; `{"status": "pending"}` before."""
    client = request.client
    found = await clilogins.collect(
        session,
        data.verifier,
        address=client.host if client else "",
        request_id=request_id_of(request.scope),
    )
    headers = {"Cache-Control": "no-store"}
    if found is None:
        return Response({"status": "pending"}, headers=headers)
    token, value = found
    return Response({"status": "done", **token_document(token), "value": value}, headers=headers)


ROUTES = [begin_login, collect_login]
