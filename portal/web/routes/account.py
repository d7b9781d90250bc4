"""Who am I, and my tokens."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import BaseModel, ConfigDict, Field

from portal.services import accounts, tokens
from portal.services.tokens import Scope
from portal.web.context import Asker, Session
from portal.web.guards import READ
from portal.web.schemas import token_document, user_document


class TokenRequest(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64, description="What it is for.")]
    scopes: Annotated[list[Scope], Field(min_length=1, description="Never wider than the role or the token in use.")]
    days: Annotated[int, Field(ge=1, le=tokens.MAX_TOKEN_DAYS, description="Days until it expires.")] = 90


@get("/me", guards=[READ])
async def me(session: Session, actor: Asker) -> dict[str, Any]:
    """The asker: name, role, scopes of the token in use, and as whom jobs run."""
    return user_document(await accounts.user_of(session, actor), actor)


@get("/tokens", guards=[READ])
async def list_tokens(
    session: Session,
    actor: Asker,
    everybody: Annotated[bool, QueryParameter(name="all", description="Everybody's tokens; admins only.")] = False,
) -> dict[str, Any]:
    """The asker's tokens, newest first; values are never shown again."""
    found = await tokens.tokens_of(session, actor, everybody=everybody)
    return {"items": [token_document(token) for token in found], "total": len(found)}


@post("/tokens", guards=[READ])
async def make_token(session: Session, actor: Asker, data: JSONBody[TokenRequest]) -> dict[str, Any]:
    """Make a token of one's own; `value` is in this answer only."""
    token, value = await tokens.make_token(
        session, actor, actor.name, name=data.name, scopes=data.scopes, days=data.days
    )
    return {**token_document(token), "value": value}


@delete("/tokens/{token_id:int}", guards=[READ], status_code=200)
async def revoke_token(session: Session, actor: Asker, token_id: FromPath[int]) -> dict[str, Any]:
    """Revoke a token; once more changes nothing."""
    return token_document(await tokens.revoke_token(session, actor, token_id))


ROUTES = [me, list_tokens, make_token, revoke_token]
