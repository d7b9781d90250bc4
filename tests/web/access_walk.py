"""Asks every route as everybody and says what came of it, without leaving a trace: each request is rolled back.

The things asked for are kim's: an App that the lab sees, requests in several states, a model, a component, a token.
"""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from litestar.exceptions import LitestarException
from litestar.routes import HTTPRoute
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker

from portal.auth.browser import form_token
from portal.db.engine import engine_for, transaction
from portal.db.models import AuditCheck, BrowserSession, Checkup, Model, Notice, Repair, Token, Workload, now
from portal.domain.lifecycle import State
from portal.services import accounts, browsersessions, coeditors, tokens, trainingtemplates
from portal.services.accounts import Role
from portal.services.tokens import ROLE_SCOPES, Scope
from portal.store.manifest import Lineage, StoredFile, manifest
from portal.web import cookies
from portal.web.pageguards import TOKEN_HEADER
from tests.daemon.test_operators import CODE
from tests.daemon.world import ADMIN_TOOL
from tests.web.access_bodies import QUERIES, VERSION, body
from tests.web.conftest import Site

PEOPLE = ("anonymous", "deactivated", "viewer", "researcher", "co-editor", "owner", "admin")
NAMES = {
    "deactivated": "gone",
    "viewer": "viewer",
    "researcher": "park",
    "co-editor": "lee",
    "owner": "kim",
    "admin": "admin",
}
ANSWER_S, STREAM_S = 120, 10
"""How long an answer may take to begin on a busy machine, and a stream to notice that nobody listens."""
COMPONENT = "CL-WALK"
_STATES = (
    (("/approve", "/reject", "/test", "/approvals/"), "waiting"),
    (("/rerun", "/support-bundle", "/logs", "/script"), "ended"),
)


@dataclass
class Walk:
    """The prepared site: who speaks with which credentials, and the objects that stand for the places in a path."""

    site: Site
    connection: AsyncConnection
    tokens: dict[str, str] = field(default_factory=dict)
    browsers: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    workloads: dict[str, str] = field(default_factory=dict)

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of everything that is served, by path."""
        found = set()
        for route in self.site.app.routes:
            assert isinstance(route, HTTPRoute), route
            found |= {(method, route.path_format) for method in route.methods - {"OPTIONS", "HEAD"}}
        return sorted(found, key=lambda one: (one[1], one[0]))

    def guard(self, method: str, path: str) -> str:
        """What the route asks for, by name."""
        for route in self.site.app.routes:
            if isinstance(route, HTTPRoute) and route.path_format == path:
                for handler in route.route_handlers:
                    if method in handler.http_methods:
                        guards = handler.resolve_guards()
                        return ", ".join(_name(one) for one in guards) or "public"
        raise KeyError(path)

    async def scoped(self, wanted: Mapping[str, set[Scope]]) -> None:
        """Tokens of the admin with these scopes, to ask with."""
        async with transaction(self.site.world.maker) as session:
            for who, scopes in wanted.items():
                made = await tokens.make_token(session, ADMIN_TOOL, "admin", name=who, scopes=scopes, days=None)
                self.tokens[who] = made[1]

    @asynccontextmanager
    async def untouched(self) -> AsyncIterator[None]:
        """Whatever is asked in here is rolled back."""
        outer = await self.connection.begin()
        state = self.site.app.state
        state.sessions = async_sessionmaker(
            self.connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        try:
            yield
        finally:
            state.sessions = self.site.world.maker
            await outer.rollback()

    async def ask(self, who: str, method: str, path: str) -> str:
        """What comes of it: `in`, `input` (400, 422), `403`, `404`, `sign in`. Nothing of it is kept."""
        async with self.untouched():
            status, headers = await self._status(who, method, path)
        return _outcome(status, headers.get("location", ""))

    def places_of(self, path: str) -> dict[str, str]:
        """Kim's things by their name in a path; of the workloads one whose state lets the route do something."""
        state = next((state for marks, state in _STATES for mark in marks if mark in path), "queued")
        places = self.places | {"workload_id": self.workloads[state]}
        if "/models/" in path:
            places["version"] = "1"
        return places

    def filled(self, path: str) -> str:
        """The path with kim's things in it."""
        places = self.places_of(path)
        return re.sub(r"\{(\w+)\}", lambda found: places[found.group(1)], path)

    async def _status(self, who: str, method: str, path: str) -> tuple[int, Mapping[str, str]]:
        api = path.startswith("/api/v1")
        headers = {"accept-language": "en", "host": "portal"}
        if who in self.tokens and api:
            headers["authorization"] = f"Bearer {self.tokens[who]}"
        elif who in self.browsers and not api:
            headers["cookie"] = f"{cookies.SESSION}={self.browsers[who]}"
            headers[TOKEN_HEADER] = form_token(self.browsers[who])
        content, kind = body(method, path, self.spec)
        if content:
            headers |= {"content-type": kind, "content-length": str(len(content))}
        address = self.filled(path + QUERIES.get(f"{method} {path}", ""))
        return await _first_answer(self.site, method, address, headers, content)


def _name(guard: Any) -> str:
    """A guard's name, also of one that Litestar made awaitable."""
    return str(getattr(getattr(guard, "func", guard), "__qualname__", repr(guard)))


def _outcome(status: int, location: str) -> str:
    if status == 401 or location.startswith("/login"):
        return "sign in"
    named = {403: "403", 404: "404", 400: "input", 422: "input"}
    return named.get(status, "in" if status < 500 or status == 503 else f"fault {status}")


async def _first_answer(
    site: Site, method: str, address: str, headers: Mapping[str, str], content: bytes
) -> tuple[int, Mapping[str, str]]:
    """Status and headers as soon as they come; what streams without end is hung up on."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("portal", 80),
        "state": {},
    }
    answered, ended = anyio.Event(), anyio.Event()
    given = iter([{"type": "http.request", "body": content, "more_body": False}])
    seen: list[dict[str, Any]] = []

    async def receive() -> Any:
        for message in given:
            return message
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.append(message)
            answered.set()

    async def run() -> None:
        try:
            await site.app(scope, receive, send)  # type: ignore[arg-type]
        except LitestarException:
            assert seen, "no answer"  # what breaks while a file is sent came after the answer
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        with anyio.fail_after(ANSWER_S):
            await answered.wait()
        with anyio.move_on_after(STREAM_S):
            await ended.wait()
        group.cancel_scope.cancel()
    return seen[0]["status"], {name.decode().lower(): value.decode() for name, value in seen[0]["headers"]}


@asynccontextmanager
async def prepared(site: Site, spec: dict[str, Any]) -> AsyncIterator[Walk]:
    """The site with everybody and everything in it."""
    engine = engine_for(site.world.context.settings)
    try:
        async with engine.connect() as connection:
            walk = Walk(site, connection, spec=spec)
            await _people(walk)
            await _things(walk)
            yield walk
    finally:
        await engine.dispose()


async def _people(walk: Walk) -> None:
    async with transaction(walk.site.world.maker) as session:
        for name in ("gone", "lee"):
            await accounts.create_user(session, ADMIN_TOOL, username=name, display_name=name, role=Role.RESEARCHER)
        for who, name in NAMES.items():
            user = await accounts.user_named(session, name)
            scopes = ROLE_SCOPES[Role(user.role)]
            made = await tokens.make_token(session, ADMIN_TOOL, name, name="walk", scopes=scopes, days=None)
            walk.tokens[who] = made[1]
            walk.browsers[who] = await browsersessions.begin(
                session, user, address="", browser="walk", settings=walk.site.world.context.settings
            )
    async with transaction(walk.site.world.maker) as session:
        await accounts.deactivate(session, ADMIN_TOOL, "gone")


def _manifest(workload: Workload) -> dict[str, Any]:
    """Of one file."""
    lineage = Lineage(
        app_id=workload.app_id,
        app_version=workload.app_version,
        workload=workload.id,
        attempt=1,
        spec_hash="0" * 64,
        owner="kim",
        unix_user="kim",
        images={},
        slurm_jobs={},
        training_config=None,
        data_path=None,
        metrics={},
        plan_form="together",
    )
    return manifest("walk-final", 1, [StoredFile("m.bin", 1, "0" * 64)], [], lineage, now())


async def _things(walk: Walk) -> None:
    site, world = walk.site, walk.site.world
    await site.post("kim", "/components", {**VERSION, "version": "1.0.0", "id": COMPONENT, "name": "walk"}, status=201)
    large = copy.deepcopy(walk.spec)
    large["app_id"] = "APP-LARGE1"
    large["tasks"][0]["components"][0]["resources"].update(gpu_count=4)
    walk.workloads["queued"] = await world.submit(walk.spec)
    walk.workloads["ended"] = await world.submit(walk.spec)
    walk.workloads["waiting"] = await world.submit(large)
    for _ in range(3):
        await world.round()
    world.store.objects["models", f"{walk.spec['app_id']}/v1/files/m.bin"] = b"x"
    async with transaction(world.maker) as session:
        ended = await session.get_one(Workload, walk.workloads["ended"])
        ended.state, ended.started_at, ended.ended_at = State.COMPLETED, now(), now()
        queued = await session.get_one(Workload, walk.workloads["queued"])
        queued.state = State.QUEUED
        for app_id in (walk.spec["app_id"], large["app_id"]):
            await coeditors.add(session, world.actors["kim"], app_id, "lee")
        session.add(
            Model(
                app_id=walk.spec["app_id"],
                version=1,
                name="walk-final",
                workload_id=ended.id,
                state="stored",
                bucket="models",
                prefix=f"{walk.spec['app_id']}/v1/",
                manifest=_manifest(ended),
            )
        )
        mended = Repair(asked_by_id=world.actors["admin"].user_id, code="lost_job", object_id="9", side="slurm")
        session.add_all([Checkup(days=7), AuditCheck(), mended])
        await session.flush()
        token = await session.scalar(select(Token.id).where(Token.prefix == walk.tokens["owner"][:10]))
        browser = await session.scalar(select(BrowserSession.id).where(BrowserSession.user_id == ended.owner_id))
        notice = Notice(user_id=ended.owner_id, kind="finished", object_id=ended.id, data={})
        session.add(notice)
        template = await trainingtemplates.save(session, world.actors["kim"], "walk", {"kind": "rl"})
        await session.flush()
    operator = await world.upload(CODE)
    analysis = await world.analyse(walk.workloads["ended"], operator)
    step = walk.spec["tasks"][0]
    node = step["components"][0]
    walk.places = {
        "node_name": "gpu1",
        "alias": "champion",
        "app_id": walk.spec["app_id"],
        "check_id": "1",
        "checkup_id": "1",
        "component_id": COMPONENT,
        "digest": "sha256:" + "0" * 64,
        "job_index": "0",
        "notice_id": str(notice.id),
        "operator_id": operator.rpartition(":")[0] or operator,
        "run_id": analysis,
        "section": "thresholds",
        "file_path": "x",
        "name": "walk-final",
        "node_id": node.get("node_id", node["component_id"]),
        "number": "v1",
        "path": "m.bin",
        "repair_id": "1",
        "row_id": "1",
        "session_id": str(browser),
        "task_id": step["task_id"],
        "template_id": str(template.id),
        "token_id": str(token),
        "topic": "cli",
        "username": "lee",
        "version": walk.spec["version"],
    }
