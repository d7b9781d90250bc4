"""Pages that change by themselves: what can be watched, who may, and each change rendered once for all who see the same.

A topic is `kind:key:view` (`workload:W-A1B2C3:overview`). A page says `data-live="TOPIC"` on an element and marks the parts
that change with an id and `data-live-part`; `src/live/` of the assets swaps them in. A feature adds a `LiveKind` in
`kinds_of`. People with the same viewpoint, language and time zone get the same bytes, made once a change.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.engine import Sessions
from portal.services.audit import Actor
from portal.services.errors import Invalid
from portal.services.live import LiveHub, ReadMarks, Thing
from portal.web.formats import Formats
from portal.web.frame import Frame
from portal.web.language import Language

MAX_TOPICS = 8
_KEPT = 256
_TOPIC_PARTS = 3


@dataclass(frozen=True)
class Topic:
    """What a page watches: a thing, and which of its parts are on the page."""

    kind: str
    key: str
    view: str

    @property
    def thing(self) -> Thing:
        """The thing behind it."""
        return self.kind, self.key

    def text(self) -> str:
        """As pages and events name it."""
        return f"{self.kind}:{self.key}:{self.view}"


class LiveKind(Protocol):
    """One kind of thing: its reader, who may watch, and its parts as HTML."""

    views: frozenset[str]

    async def marks(self, keys: Any) -> Mapping[str, str]:
        """See `portal.services.live.ReadMarks`."""

    async def viewpoint(self, session: AsyncSession, actor: Actor, key: str) -> str:
        """A short text; whoever has the same one sees the same. Raises NotFound, Forbidden."""

    async def parts(self, session: AsyncSession, actor: Actor, topic: Topic, frame: Frame) -> str:
        """The parts' HTML. Whatever belongs to one person alone, a form token above all, must not be in it."""


@dataclass(frozen=True)
class Reader:
    """Who reads a stream: whose permissions, and in which language and zone."""

    actor: Actor
    language: Language
    formats: Formats

    def frame(self) -> Frame:
        """A frame with nothing of this person in it but language and zone."""
        return Frame(self.language, "", self.formats, "", "", None, "", "", htmx=True)


Key = tuple[Topic, str, str, Language, str]


class Live:
    """What the streams of one process share."""

    def __init__(self, maker: Sessions, kinds: Mapping[str, LiveKind], *, interval_s: float | None = None) -> None:
        readers: dict[str, ReadMarks] = {name: kind.marks for name, kind in kinds.items()}
        self.hub = LiveHub(readers) if interval_s is None else LiveHub(readers, interval_s)
        self.renders = 0
        self._maker = maker
        self._kinds = kinds
        self._made: OrderedDict[Key, asyncio.Task[str]] = OrderedDict()

    def topics(self, text: str) -> tuple[Topic, ...]:
        """`workload:W-A1B2C3:overview,…`. Raises Invalid."""
        found = tuple(dict.fromkeys(self._topic(part) for part in text.split(",") if part))
        if not 0 < len(found) <= MAX_TOPICS:
            raise _no_topic()
        return found

    def _topic(self, text: str) -> Topic:
        parts = text.split(":")
        if len(parts) != _TOPIC_PARTS or parts[0] not in self._kinds or parts[2] not in self._kinds[parts[0]].views:
            raise _no_topic()
        return Topic(*parts)

    async def viewpoint(self, actor: Actor, topic: Topic) -> str:
        """See LiveKind; in a session of its own."""
        async with self._maker() as session:
            return await self._kinds[topic.kind].viewpoint(session, actor, topic.key)

    async def parts(self, reader: Reader, topic: Topic, mark: str, viewpoint: str) -> str:
        """The HTML of this mark: the first who asks has it made, the others wait for the same."""
        key: Key = (topic, mark, viewpoint, reader.language, str(reader.formats.zone))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = asyncio.create_task(self._make(reader, topic))
            made.add_done_callback(lambda task: self._forget_failed(key, task))
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return await asyncio.shield(made)

    def _forget_failed(self, key: Key, task: asyncio.Task[str]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._made.pop(key, None)

    async def _make(self, reader: Reader, topic: Topic) -> str:
        self.renders += 1
        async with self._maker() as session:
            return await self._kinds[topic.kind].parts(session, reader.actor, topic, reader.frame())


def query_topic(kind: str, view: str, shown: Mapping[str, str]) -> str:
    """The topic of a page that is told by its query parameters: safe inside an address and an event id."""
    return Topic(kind, quote(urlencode(shown), safe=""), view).text()


def query_of(key: str) -> dict[str, str]:
    """The query parameters of such a topic's key."""
    return dict(parse_qsl(unquote(key)))


Recheck = Callable[[], Awaitable[Actor]]


def _no_topic() -> Invalid:
    return Invalid("topic", "There is no such live topic.", "이런 실시간 항목은 없습니다.")
