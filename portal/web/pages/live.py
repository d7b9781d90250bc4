"""The stream behind every live page: one connection a page, the changed parts as HTML, resumed by Last-Event-ID."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from typing import Annotated, Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from portal.auth.browser import visitor_of
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.services.live import Thing
from portal.web import cookies
from portal.web.context import Asker, SettingsFile
from portal.web.frame import frame_of
from portal.web.limits import drops_slow_clients
from portal.web.live import Live, Reader, Recheck, Topic
from portal.web.pageguards import VISIT
from portal.web.requestid import request_id_of

PATIENCE_S = 15.0
"""Without news a comment is sent: the connection stays open, and one that is gone is found out."""
RECHECK_INTERVAL_S = 60.0
MAX_CHARS = 2000


@get(
    "/events",
    guards=[VISIT],
    include_in_schema=False,
    media_type="text/event-stream",
    middleware=[drops_slow_clients],
)
async def live_events(
    request: Request[Any, Any, Any],
    state: State,
    actor: Asker,
    settings_file: SettingsFile,
    topics: Annotated[str, QueryParameter(max_length=MAX_CHARS, description="`kind:key:view`, several with commas.")],
    seen: Annotated[str, QueryParameter(max_length=MAX_CHARS, description="Where to go on; as Last-Event-ID.")] = "",
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=MAX_CHARS)] = None,
) -> ServerSentEvent:
    """Events `parts` with the topic and its HTML; `error` is the last one of a stream that may not go on."""
    live: Live = state.live
    wanted = live.topics(topics)
    frame = frame_of(request)
    reader = Reader(actor, frame.language, frame.formats)
    viewpoints = {topic: await live.viewpoint(actor, topic) for topic in wanted}
    state.limits.check_page(actor.user_id or 0)
    cookie = cookies.read(request, cookies.SESSION)

    async def recheck() -> Actor:
        request_id = request_id_of(request.scope)
        visitor = await visitor_of(
            state.sessions, settings_file, state.providers, cookie, address=actor.address, request_id=request_id
        )
        return visitor.actor

    counted = state.limits.page(actor.user_id or 0)
    told = _told(live, reader, viewpoints, _seen(last_event_id or seen), recheck, korean=frame.language == "ko")
    return ServerSentEvent(_counted(told, counted))


async def _counted(
    told: AsyncIterator[ServerSentEventMessage], counted: AbstractContextManager[None]
) -> AsyncIterator[ServerSentEventMessage]:
    with counted:
        async for message in told:
            yield message


async def _told(
    live: Live,
    reader: Reader,
    viewpoints: Mapping[Topic, str],
    seen: Mapping[Thing, str],
    recheck: Recheck,
    *,
    korean: bool,
) -> AsyncIterator[ServerSentEventMessage]:
    checked = time.monotonic()
    try:
        with live.hub.watch({topic.thing for topic in viewpoints}, seen) as watcher:
            while True:
                news = await live.hub.news(watcher, PATIENCE_S)
                for topic in [topic for topic in viewpoints if topic.thing in news]:
                    html = await live.parts(reader, topic, news[topic.thing], viewpoints[topic])
                    yield _message("parts", {"topic": topic.text(), "html": html}, _id(watcher.seen))
                if not news:
                    yield ServerSentEventMessage(data=None, comment="waiting")
                if time.monotonic() - checked > RECHECK_INTERVAL_S:
                    reader = Reader(await recheck(), reader.language, reader.formats)
                    viewpoints = {topic: await live.viewpoint(reader.actor, topic) for topic in viewpoints}
                    checked = time.monotonic()
    except ServiceError as error:
        detail = error.message_ko if korean else error.message_en
        yield _message("error", {"code": error.code, "status": error.status, "detail": detail}, "")


def _message(event: str, data: Mapping[str, Any], event_id: str) -> ServerSentEventMessage:
    return ServerSentEventMessage(data=json.dumps(data, ensure_ascii=False), event=event, id=event_id or None)


def _id(seen: Mapping[Thing, str]) -> str:
    return ",".join(f"{kind}:{key}={mark}" for (kind, key), mark in sorted(seen.items()))


def _seen(text: str) -> dict[Thing, str]:
    """The marks of an event id; what is none counts as nothing seen."""
    found = {}
    for part in text.split(","):
        thing, _, mark = part.partition("=")
        kind, _, key = thing.partition(":")
        if mark:
            found[kind, key] = mark
    return found


ROUTES = [live_events]
