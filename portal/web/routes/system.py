"""Is it alive, and what does a spec look like: the public routes."""

from __future__ import annotations

from typing import Any

import anyio
from litestar import MediaType, Response, get
from litestar.datastructures import State
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal.services.errors import Unavailable
from portal.spec.schema import app_spec_schema

DATABASE_TIMEOUT_S = 5


@get("/healthz", media_type=MediaType.TEXT, include_in_schema=False)
async def healthz(state: State) -> str:
    """`ok` when the process answers and its database does."""
    try:
        with anyio.fail_after(DATABASE_TIMEOUT_S):
            async with state.sessions() as session:
                await session.execute(text("SELECT 1"))
    except (DBAPIError, OSError, TimeoutError) as error:
        raise Unavailable(
            "database_unreachable", "The database is unreachable.", "데이터베이스에 연결할 수 없습니다."
        ) from error
    return "ok"


@get("/schema/app-spec.json", security=[], sync_to_thread=False)
def app_spec() -> Response[dict[str, Any]]:
    """The JSON Schema of App spec files, for editors."""
    return Response(app_spec_schema(), media_type="application/schema+json")


PUBLIC_ROUTES = [app_spec]
