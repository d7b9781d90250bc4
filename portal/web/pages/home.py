"""Home: what needs me, how my runs are, is there room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from litestar import Response, get

from portal.web.context import PageFrame
from portal.web.pageguards import VISIT
from portal.web.rendering import PageContext, shown


@dataclass(frozen=True)
class HomePage(PageContext):
    """P2."""

    template: ClassVar[str] = "home/home.html"
    nav: ClassVar[str] = "home"


@get("/", guards=[VISIT], include_in_schema=False, sync_to_thread=False)
def home(frame: PageFrame) -> Response[str]:
    """P2."""
    return shown(frame, HomePage())


ROUTES = [home]
