"""Request bodies, read strictly: JSON that other programs would read differently is refused with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema

from portal.domain.operatorfile import MAX_BYTES as MAX_OPERATOR_BYTES
from portal.services.errors import Invalid
from portal.spec.limits import MAX_BYTES
from portal.spec.load import LoadedSpec, load_spec
from portal.spec.parse import parse
from portal.spec.problems import Problem, SpecError, errors_of
from portal.web.address import refuse_unusable_address

MAX_BODY_BYTES = MAX_BYTES + 64 * 1024
"""A whole spec and the few fields around it."""
MAX_UPLOAD_BYTES = MAX_OPERATOR_BYTES + MAX_BODY_BYTES
"""Of the few routes that take an Operator's file; the site may allow less (`operators.max_mb`)."""
_WRITES = frozenset({"POST", "PUT", "PATCH"})


async def check_input(request: Request[Any, Any, Any]) -> None:
    """Before every handler whose body is JSON. Raises Invalid, NotFoundException."""
    refuse_unusable_address(request)
    await refuse_loose_json(request)


async def refuse_loose_json(request: Request[Any, Any, Any]) -> None:
    """Before every write: duplicate keys, NaN, lone surrogates and the like are errors. Raises Invalid.

    Routes whose body is a spec have `spec_body` in their options: their use case reports the same with the rest. Those
    with `raw_body` take a file.
    """
    if request.method not in _WRITES or {"spec_body", "raw_body"} & request.route_handler.opt.keys():
        return
    data = await request.body()
    if not data:
        return
    try:
        _, problems = parse(data)
    except SpecError as error:
        raise invalid(error.problems) from error
    if problems:
        raise invalid(tuple(problems))


async def spec_of(request: Request[Any, Any, Any]) -> LoadedSpec:
    """The body as a checked spec. Raises Invalid with all problems."""
    try:
        return load_spec(await request.body())
    except SpecError as error:
        raise invalid(error.problems) from error


def invalid(problems: tuple[Problem, ...]) -> Invalid:
    """The problems of an input as an answer, counted in words."""
    count = len(errors_of(problems))
    return Invalid("invalid_input", f"Check {count} fields.", f"입력을 확인하세요 ({count}건).", problems)


@dataclass
class SpecOperation(Operation):
    """OpenAPI: the body is a spec file itself; its schema is published beside this one."""

    def __post_init__(self) -> None:
        schema = Schema(type=OpenAPIType.OBJECT, description="An App spec file; see /api/v1/schema/app-spec.json.")
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)
