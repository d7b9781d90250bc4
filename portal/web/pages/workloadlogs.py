"""What the log tab's script asks for: windows by byte offset, the next hit, following live, and the whole file to keep."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter
from litestar.response import ServerSentEvent, Stream

from portal.auth.browser import visitor_of
from portal.domain.permissions import RESEARCHER, Permission
from portal.services import logs
from portal.services.access import demand, readable_workload, workload_facts
from portal.services.errors import Invalid
from portal.services.logfollow import follow, parse_cursor
from portal.services.logsource import LogFile, wanted
from portal.services.logwindow import ERROR, WINDOW_BYTES, find, needle, window_before, window_from
from portal.web import cookies
from portal.web.context import Asker, PageFrame, Session, SiteSettings
from portal.web.limits import drops_slow_clients
from portal.web.logstream import events_of, file_document, merged
from portal.web.pageguards import VISIT, VISIT_DOWNLOAD
from portal.web.requestid import request_id_of
from portal.web.routes.logs import StreamName

WorkloadId = FromPath[str]
Step = Annotated[str, QueryParameter(max_length=129, description="TASK/NODE, or `system/job-0`.")]
Try = Annotated[int | None, QueryParameter(name="try", description="Default: the last.")]
Byte = Annotated[int | None, QueryParameter(ge=0, description="A byte offset.")]


@get("/workloads/{workload_id:str}/logs/window", guards=[VISIT], include_in_schema=False)
async def log_window(
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    step: Step,
    stream: FromQuery[StreamName] = "stdout",
    iteration: FromQuery[int | None] = None,
    attempt: FromQuery[int | None] = None,
    attempt_try: Try = None,
    before: Byte = None,
    start: Byte = None,
) -> Response[dict[str, Any]]:
    """Whole lines before byte `before` or from byte `start` on; without either the newest."""
    found = await logs.open_logs(session, actor, settings, state.store, workload_id, attempt)
    file = logs.one_file(found, step, stream, iteration=iteration, attempt_try=attempt_try)
    window = (
        await window_before(found, file, before, WINDOW_BYTES)
        if start is None
        else await window_from(found, file, start, WINDOW_BYTES)
    )
    place = {"start": window.start, "end": window.end, "text": window.text}
    return _fresh({**file_document(file), **place})


@get("/workloads/{workload_id:str}/logs/find", guards=[VISIT], include_in_schema=False)
async def log_find(
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    step: Step,
    stream: FromQuery[StreamName] = "stdout",
    iteration: FromQuery[int | None] = None,
    attempt: FromQuery[int | None] = None,
    attempt_try: Try = None,
    q: Annotated[str, QueryParameter(max_length=256, description="What to look for; empty: the first error.")] = "",
    start: Annotated[int, QueryParameter(ge=0, description="Byte to begin at.")] = 0,
) -> Response[dict[str, Any]]:
    """Where the next line with `q` begins, or that there is none up to `searched`; the script goes on from there."""
    try:
        pattern = needle(q) if q else ERROR
    except ValueError as error:
        raise Invalid("needle", f"Search for {error}.", f"검색어는 {error}여야 합니다.") from error
    found = await logs.open_logs(session, actor, settings, state.store, workload_id, attempt)
    file = logs.one_file(found, step, stream, iteration=iteration, attempt_try=attempt_try)
    hit = await find(found, file, pattern, start)
    return _fresh({"at": hit.at, "searched": hit.searched, "size": file.size})


@get(
    "/workloads/{workload_id:str}/logs/follow",
    guards=[VISIT],
    include_in_schema=False,
    media_type="text/event-stream",
    middleware=[drops_slow_clients],
)
async def follow_log(
    request: Request[Any, Any, Any],
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    frame: PageFrame,
    workload_id: WorkloadId,
    step: Annotated[str, QueryParameter(max_length=129, description="Whose log; default: all.")] = "",
    stream: FromQuery[StreamName | None] = None,
    cursor: Annotated[str, QueryParameter(max_length=60_000, description="Where to go on; as Last-Event-ID.")] = "",
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=60_000)] = None,
) -> ServerSentEvent:
    """The stream of `GET /api/v1/workloads/{id}/logs/follow`, for a session; ends with the session."""
    found = await logs.open_logs(session, actor, settings, state.store, workload_id)
    begin = parse_cursor(last_event_id or cursor)
    user_id = actor.user_id or 0
    state.limits.check_stream(user_id)
    cookie = cookies.read(request, cookies.SESSION)

    async def recheck() -> None:
        request_id = request_id_of(request.scope)
        visitor = await visitor_of(
            state.sessions, settings, state.providers, cookie, address=actor.address, request_id=request_id
        )
        async with state.sessions() as fresh:
            await logs.open_logs(fresh, visitor.actor, settings, state.store, workload_id)

    pieces = follow(state.log_hub, found.workload_id, begin, component=step, stream=stream, recheck=recheck)
    return ServerSentEvent(events_of(pieces, state.limits.stream(user_id), korean=frame.language == "ko"))


@get("/workloads/{workload_id:str}/logs/file", guards=[VISIT_DOWNLOAD], include_in_schema=False)
async def log_file(
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    step: Annotated[str, QueryParameter(max_length=129, description="Whose log; default: all.")] = "",
    stream: FromQuery[StreamName | None] = None,
    attempt: FromQuery[int | None] = None,
) -> Stream:
    """The log to keep; all merged with each line's component. Raises NotFound, Forbidden."""
    workload = await readable_workload(session, actor, workload_id)
    demand(actor, Permission.WORKLOAD_ARCHIVE, workload_facts(workload), role=RESEARCHER)
    found = await logs.open_logs(session, actor, settings, state.store, workload.id, attempt)
    files: list[LogFile] = wanted(found.files, step, stream)
    name = f"{workload.id}{'-' + step.rpartition('/')[2] if step else ''}.log"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Stream(merged(found, files, prefixed=not step), media_type=MediaType.TEXT, headers=headers)


def _fresh(document: dict[str, Any]) -> Response[dict[str, Any]]:
    return Response(document, headers={"Cache-Control": "no-store"})


ROUTES = [log_window, log_find, follow_log, log_file]
