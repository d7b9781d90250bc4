"""A request's address, checked before anything reads it: what no database can look for is refused with its place."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import NotFoundException

from portal.services.errors import Invalid
from portal.spec.problems import json_path, problem

MAX_ID = 2**31 - 1
"""The largest number of a row."""


def refuse_unusable_address(request: Request[Any, Any, Any]) -> None:
    """PostgreSQL has no NUL in a text and no database such large numbers: both would end as a fault of ours.

    Raises Invalid (NUL in the query), NotFoundException (nothing can have this address).
    """
    if "\0" in request.url.path or "\0" in request.scope["path"]:
        raise NotFoundException
    for value in request.path_params.values():
        if isinstance(value, int) and abs(value) > MAX_ID:
            raise NotFoundException
    found = [
        problem(f"query:{json_path([name])[2:]}", "bad_character", what="NUL (U+0000)")
        for name, value in request.query_params.multi_items()
        if "\0" in name or "\0" in str(value)
    ]
    if found:
        raise Invalid("invalid_input", f"Check {len(found)} fields.", f"입력을 확인하세요 ({len(found)}건).", found)
