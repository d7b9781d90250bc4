"""Logs of a run: what there is, a piece of one file, all of it merged, and following it live."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter
from litestar.response import ServerSentEvent, Stream

from portal.auth.bearer import actor_of
from portal.services import logs
from portal.services.logfollow import follow, parse_cursor
from portal.services.logs import MAX_READ_BYTES
from portal.services.logsource import wanted
from portal.web.context import Asker, InLanguage, Session, SiteSettings
from portal.web.guards import READ
from portal.web.limits import drops_slow_clients
from portal.web.logstream import events_of, file_document, merged
from portal.web.requestid import request_id_of

WorkloadId = FromPath[str]
StreamName = Literal["stdout", "stderr"]
Component = Annotated[
    str, QueryParameter(max_length=129, description="Node id, TASK/NODE, or `system` (batch jobs); default: all steps.")
]


@get("/workloads/{workload_id:str}/logs", guards=[READ])
async def list_logs(
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    attempt: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """The log files of an attempt (default: the newest), step by step."""
    found = await logs.open_logs(session, actor, settings, state.store, workload_id, attempt)
    return {
        "workloadId": found.workload_id,
        "attempt": found.attempt,
        "state": found.state,
        "phase": found.phase,
        "ended": found.ended,
        "source": found.source.name if found.source else None,
        "items": [file_document(file) for file in found.files],
    }


@get("/workloads/{workload_id:str}/logs/steps/{task_id:str}/{node_id:str}", guards=[READ], media_type=MediaType.TEXT)
async def read_log(
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    task_id: FromPath[str],
    node_id: FromPath[str],
    stream: FromQuery[StreamName] = "stdout",
    offset: Annotated[int, QueryParameter(description="Byte to start at; negative: from the end.")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_READ_BYTES, description="Bytes at most.")] = 256 * 1024,
    attempt: FromQuery[int | None] = None,
    attempt_try: Annotated[int | None, QueryParameter(name="try", description="Default: the last.")] = None,
    iteration: Annotated[int | None, QueryParameter(description="Of a general test; default: the last.")] = None,
) -> Response[bytes]:
    """A piece of one log file as bytes; X-Log-Offset, X-Log-Next and X-Log-Size say where it lies."""
    found = await logs.open_logs(session, actor, settings, state.store, workload_id, attempt)
    file = logs.one_file(found, f"{task_id}/{node_id}", stream, iteration=iteration, attempt_try=attempt_try)
    start, data = await logs.read(found, file, offset, limit)
    headers = {"X-Log-Offset": str(start), "X-Log-Next": str(start + len(data)), "X-Log-Size": str(file.size)}
    return Response(data, media_type=MediaType.TEXT, headers=headers)


@get("/workloads/{workload_id:str}/logs/merged", guards=[READ], media_type=MediaType.TEXT)
async def merged_log(
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    component: Component = "",
    stream: FromQuery[StreamName | None] = None,
    attempt: FromQuery[int | None] = None,
    prefix: Annotated[bool, QueryParameter(description="Whether each line begins with its node id.")] = True,
) -> Stream:
    """All steps' logs as far as written, step after step, each line prefixed with its node id."""
    found = await logs.open_logs(session, actor, settings, state.store, workload_id, attempt)
    chosen = wanted(found.files, component, stream)
    return Stream(merged(found, chosen, prefixed=prefix), media_type=MediaType.TEXT)


@get(
    "/workloads/{workload_id:str}/logs/follow",
    guards=[READ],
    media_type="text/event-stream",
    middleware=[drops_slow_clients],
)
async def follow_logs(
    request: Request[Any, Any, Any],
    state: State,
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    language: InLanguage,
    workload_id: WorkloadId,
    component: Component = "",
    stream: FromQuery[StreamName | None] = None,
    cursor: Annotated[str, QueryParameter(max_length=60_000, description="Where to go on; as Last-Event-ID.")] = "",
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=60_000)] = None,
) -> ServerSentEvent:
    """Server-Sent Events `log`, `state` and at last `end`; each id is the byte position to resume from."""
    found = await logs.open_logs(session, actor, settings, state.store, workload_id)
    begin = parse_cursor(last_event_id or cursor)
    user_id = actor.user_id or 0
    state.limits.check_stream(user_id)

    async def recheck() -> None:
        asker = await actor_of(
            state.sessions,
            request.headers.get("authorization"),
            address=actor.address,
            request_id=request_id_of(request.scope),
        )
        async with state.sessions() as fresh:
            await logs.open_logs(fresh, asker, settings, state.store, workload_id)

    pieces = follow(state.log_hub, found.workload_id, begin, component=component, stream=stream, recheck=recheck)
    return ServerSentEvent(events_of(pieces, state.limits.stream(user_id), korean=language == "ko"))


ROUTES = [list_logs, read_log, merged_log, follow_logs]
