"""Search over everything: a page for a text, the same list in the dialog that Ctrl+K opens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote, urlencode

from litestar import Request, Response, get
from litestar.params import QueryParameter

from portal.services.search import Hit, search
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.objects import href_of
from portal.web.pageguards import VISIT
from portal.web.rendering import PageContext, shown

Asked = Request[Any, Any, Any]
_LISTS: Final = {
    "app": "/apps",
    "component": "/components",
    "workload": "/workloads",
    "model": "/models",
    "user": "/admin/users",
}


@dataclass(frozen=True)
class HitLine:
    """One thing that was found, and where it is ("" while this portal has no page for it)."""

    hit: Hit
    href: str


@dataclass(frozen=True)
class HitGroup:
    """What was found of one kind; `more` is the list with all of them, "" where these are all."""

    kind: str
    lines: tuple[HitLine, ...]
    more: str
    total: int


@dataclass(frozen=True)
class SearchPage(PageContext):
    """What was found for `q`; no group at all means nothing was."""

    template: ClassVar[str] = "search/search.html"
    q: str
    groups: tuple[HitGroup, ...]

    @property
    def total(self) -> int:
        """How many things are shown."""
        return sum(len(group.lines) for group in self.groups)


@get("/search", guards=[VISIT], include_in_schema=False)
async def search_page(
    request: Asked,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    q: Annotated[str, QueryParameter(max_length=200, description="Part of a name or id; a Slurm job id.")] = "",
) -> Response[str]:
    """Everything that has this in its name or id, as far as the asker may see it."""
    paths = request.app.state.page_paths
    groups = []
    for group in await search(session, actor, settings, q):
        lines = tuple(HitLine(hit, _href(hit, paths)) for hit in group.hits)
        path = _LISTS.get(group.kind, "")
        more = f"{path}?{urlencode({'q': q})}" if path in paths and group.total > len(lines) else ""
        groups.append(HitGroup(group.kind, lines, more, group.total))
    return shown(frame, SearchPage(q, tuple(groups)))


def _href(hit: Hit, paths: Collection[str]) -> str:
    if hit.kind == "model" and any(path.startswith("/models/{") for path in paths):
        return "/models/" + "/".join(quote(part, safe="") for part in hit.parts)
    if hit.kind == "node" and "/resources" in paths:
        return f"/resources/nodes/{quote(hit.id, safe='')}"
    return href_of(hit.kind, hit.id, paths)


ROUTES = [search_page]
