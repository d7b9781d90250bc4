"""Live pages: 200 watchers cost the queries and renders of 10; streams resume, are counted, end with the permission."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from portal.db.engine import transaction
from portal.db.models import App, Workload
from portal.services import state
from portal.services.audit import Actor
from portal.services.errors import Invalid, NotFound, TooMany
from portal.services.live import LiveHub
from portal.settings import Limits
from portal.web.formats import formats
from portal.web.limits import UserLimits
from portal.web.live import Live, Reader, Topic, query_topic
from portal.web.pages.live import _seen, _told
from tests.web.conftest import Site

QUEUE = Topic(*query_topic("queue", "parts", {"page": "1"}).split(":"))


def reader(actor: Actor, language: Any = "ko") -> Reader:
    return Reader(actor, language, formats(language, "Asia/Seoul"))


@contextmanager
def queries_of(site: Site) -> Iterator[list[str]]:
    """Every statement that the application's database gets meanwhile."""
    said: list[str] = []
    engine = site.app.state.sessions.kw["bind"].sync_engine

    def on_execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    sqlalchemy_event.listen(engine, "before_cursor_execute", on_execute)
    try:
        yield said
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", on_execute)


async def stream_of(live: Live, actor: Actor, topic: Topic, seen: str = "") -> AsyncIterator[Any]:
    async def recheck() -> Actor:
        return actor

    viewpoints = {topic: await live.viewpoint(actor, topic)}
    async for message in _told(live, reader(actor), viewpoints, _seen(seen), recheck, korean=True):
        yield message


async def a_change(site: Site, workload_id: str, text: str) -> None:
    async with transaction(site.world.maker) as session:
        state.event(session, await session.get_one(Workload, workload_id), "portal", "logs_saved", text=text)


async def waiting_run(site: Site, spec: dict[str, Any]) -> str:
    """A workload of kim's that no node takes."""
    site.world.cluster.drained.update(gpu1="x", gpu2="x", gpu3="x")
    workload_id = await site.world.submit(spec)
    for _ in range(3):
        await site.world.round()
    return workload_id


async def cost_of_a_change(site: Site, workload_id: str, watchers: int, topic: Topic) -> tuple[int, int]:
    """(queries, renders) of one change that reaches so many open pages; the reader's one look is made by hand, not by a clock."""
    live: Live = site.app.state.live
    hub = live.hub
    streams = [stream_of(live, site.world.actors["kim"], topic) for _ in range(watchers)]
    await asyncio.gather(*(anext(stream) for stream in streams))
    assert hub._reading is not None
    hub._reading.cancel()
    await asyncio.wait([hub._reading])
    await a_change(site, workload_id, f"news for {watchers}")
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    with queries_of(site) as said:
        renders = live.renders
        await hub.read_once()
        news = await asyncio.gather(*waiting)
        made = live.renders - renders
    says = f"news for {watchers}" if topic.kind == "workload" else f"row-{workload_id}"
    assert all(says in json.loads(message.data)["html"] for message in news)
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]
    return len(said), made


async def test_two_hundred_watchers_cost_what_ten_do(site: Site, small: dict[str, Any]) -> None:
    workload_id = await waiting_run(site, small)
    for topic in (Topic("workload", workload_id, "events"), QUEUE):
        ten = await cost_of_a_change(site, workload_id, 10, topic)
        many = await cost_of_a_change(site, workload_id, 200, topic)
        assert ten == many, topic
        assert ten[1] == 1, f"one render for everybody: {topic}"


async def test_the_queues_rows_come_by_the_stream_and_are_the_same_for_all_administrators(
    site: Site, small: dict[str, Any]
) -> None:
    workload_id = await waiting_run(site, small)
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    live: Live = site.app.state.live
    seen: dict[str, str] = {}
    for name in ("admin", "boss", "kim", "park"):
        actor = site.world.actors[name]
        seen[name] = await live.parts(reader(actor), QUEUE, "mark", await live.viewpoint(actor, QUEUE))
        assert "form_token" not in seen[name], "nothing of one person"
    assert live.renders == 3, "the second administrator gets what was made for the first"
    assert 'form="act"' in seen["boss"]
    assert (f"row-{workload_id}" in seen["kim"], 'form="act"' in seen["kim"]) == (True, False)
    assert workload_id not in seen["park"]
    before = (await live.hub._readers["queue"]([QUEUE.key]))[QUEUE.key]
    await a_change(site, workload_id, "moved")
    assert (await live.hub._readers["queue"]([QUEUE.key]))[QUEUE.key] != before
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "lab"
    shared = (await live.hub._readers["queue"]([QUEUE.key]))[QUEUE.key]
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    private = (await live.hub._readers["queue"]([QUEUE.key]))[QUEUE.key]
    assert shared != private, "nobody is sent what was drawn before it became private"
    mine = Topic("queue", query_topic("queue", "parts", {"scope": "mine"}).split(":")[1], "parts")
    assert await live.viewpoint(site.world.actors["admin"], mine) != await live.viewpoint(
        site.world.actors["boss"], mine
    )


async def test_a_stream_goes_on_where_it_was(site: Site, small: dict[str, Any]) -> None:
    workload_id = await site.world.submit(small)
    live: Live = site.app.state.live
    topic = Topic("workload", workload_id, "head")
    kim = site.world.actors["kim"]
    stream = stream_of(live, kim, topic)
    first = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert first.id.startswith(f"workload:{workload_id}=")
    again = stream_of(live, kim, topic, seen=first.id)
    waiting = asyncio.ensure_future(anext(again))
    await live.hub.read_once()
    assert not waiting.done(), "what was seen is not told again"
    await site.world.round()
    await live.hub.read_once()
    assert "접수됨" not in json.loads((await waiting).data)["html"]
    await again.aclose()  # type: ignore[attr-defined]


async def test_parts_have_nothing_of_one_person(site: Site, small: dict[str, Any]) -> None:
    workload_id = await site.world.submit(small)
    live: Live = site.app.state.live
    for view in ("overview", "graph", "metrics", "events", "results", "slurm", "head"):
        topic = Topic("workload", workload_id, view)
        for name in ("kim", "admin", "park"):
            actor = site.world.actors[name]
            html = await live.parts(reader(actor), topic, view, await live.viewpoint(actor, topic))
            assert "form_token" not in html
            assert 'id="wl-head"' in html
            assert html.count('id="wl-cancel-says"') == 1, "what the dialog says changes with the run"


async def test_people_who_see_different_things_get_different_parts(site: Site, small: dict[str, Any]) -> None:
    workload_id = await site.world.submit(small)
    live: Live = site.app.state.live
    topic = Topic("workload", workload_id, "head")
    seen = {}
    for name in ("kim", "park"):
        actor = site.world.actors[name]
        seen[name] = await live.parts(reader(actor), topic, "1", await live.viewpoint(actor, topic))
    assert ("actions/cancel" in seen["kim"], "actions/cancel" in seen["park"]) == (True, False)


async def test_who_may_not_see_it_watches_nothing(site: Site, small: dict[str, Any]) -> None:
    workload_id = await site.world.submit(small)
    async with transaction(site.world.maker) as session:
        (await session.get_one(App, small["app_id"])).visibility = "private"
    with pytest.raises(NotFound):
        await site.app.state.live.viewpoint(site.world.actors["park"], Topic("workload", workload_id, "head"))


@pytest.mark.parametrize("text", ["", "workload:W-1", "other:W-1:head", "workload:W-1:logs", ",".join(["x:y:z"] * 9)])
async def test_topics_that_are_none(site: Site, text: str) -> None:
    with pytest.raises(Invalid):
        site.app.state.live.topics(text)


def test_a_user_has_so_many_live_pages() -> None:
    limits = UserLimits(Limits(live_pages=2))
    with limits.page(1), limits.page(1):
        with pytest.raises(TooMany):
            limits.check_page(1)
        limits.check_page(2)
        limits.check_stream(1)
    limits.check_page(1)


async def test_a_reader_that_fails_is_tried_again() -> None:
    calls = 0

    async def read(keys: Any) -> dict[str, str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("away")
        return dict.fromkeys(keys, "seen")

    hub = LiveHub({"thing": read}, interval_s=0.0)
    with hub.watch([("thing", "a")], {}) as watcher:
        assert await hub.news(watcher, 5.0) == {("thing", "a"): "seen"}
    assert calls >= 2


async def test_nothing_is_read_while_nobody_watches() -> None:
    asked: list[Any] = []

    async def read(keys: Any) -> dict[str, str]:
        asked.append(sorted(keys))
        return {}

    hub = LiveHub({"thing": read}, interval_s=0.0)
    with hub.watch([("thing", "a")], {}), hub.watch([("thing", "a"), ("thing", "b")], {}):
        await hub.read_once()
    assert asked[-1] == ["a", "b"], "each once, however many watch it"
    count = len(asked)
    await hub.read_once()
    assert len(asked) == count
