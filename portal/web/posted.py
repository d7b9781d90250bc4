"""Posted forms, read strictly: what is no UTF-8 or has a NUL in it is refused with its field, before anything looks at it."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.datastructures import FormMultiDict

from portal.services.errors import Invalid
from portal.spec.problems import json_path, problem
from portal.web.address import refuse_unusable_address


async def check_page_input(request: Request[Any, Any, Any]) -> None:
    """Before every handler of a page, and before its transaction begins. Raises Invalid, NotFoundException."""
    refuse_unusable_address(request)
    if request.method == "POST":
        await form_of(request)


async def form_of(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The fields and files of the form, read once a request. Raises Invalid.

    Litestar decodes a multipart form's texts without catching what that raises; no database has a NUL in a text.
    """
    try:
        form = await request.form()
    except UnicodeDecodeError as error:
        raise Invalid("invalid_input", "The form is not UTF-8 text.", "양식이 UTF-8 텍스트가 아닙니다.") from error
    found = [
        problem(json_path([name]), "bad_character", what="NUL (U+0000)")
        for name, value in form.multi_items()
        if "\0" in name or (isinstance(value, str) and "\0" in value)
    ]
    if found:
        raise Invalid("invalid_input", f"Check {len(found)} fields.", f"입력을 확인하세요 ({len(found)}건).", found)
    return form
