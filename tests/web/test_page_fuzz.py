"""Every form and every writing route of the pages, as everybody, with hostile values: seeded, so a find can be seen again.

`ONE_FUZZ_ROUNDS=40` looks longer, `ONE_FUZZ_SEED` elsewhere; every case of a failure is named with its seed.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import structlog

from portal.auth.browser import form_token
from portal.db.engine import transaction
from portal.db.models import Notice
from portal.services import appmanage, noticechoices
from portal.web import cookies
from portal.web.pageguards import TOKEN_FIELD, TOKEN_HEADER
from tests.web.access_bodies import FORM, JSON, QUERIES, body
from tests.web.access_walk import Walk, prepared
from tests.web.conftest import Site
from tests.web.fuzzing import ELSEWHERE, IMAGE, SCRIPT, SUM, Case, Dice, PageForm, forms_of

ROUNDS = int(os.environ.get("ONE_FUZZ_ROUNDS", "2"))
SEED = int(os.environ.get("ONE_FUZZ_SEED", "1"))
ROLES = ("anonymous", "viewer", "researcher", "co-editor", "owner", "admin")
DEEP = frozenset({"owner", "admin"})
"""Whom the guards let pass: they are asked in every round, the others once."""
SECRET = "whale-4d1f"
"""In the name of everything that is kim's alone: nobody but kim and the admins may ever be shown it."""
PRIVATE_APP = "APP-PRIVATE1"
VISIT = "fuzz-visit"
FAULTS = ("Traceback (most recent call last)", 'File "/', "sqlalchemy", "sqlite3", "psycopg", "jinja2.")
RAW = (SCRIPT, IMAGE, 'href="javascript:', "href='javascript:")
Route = tuple[str, str]


@dataclass
class Fuzz:
    """The prepared site, what its forms hold, and what was found wrong."""

    walk: Walk
    forms: dict[Route, list[PageForm]] = field(default_factory=dict)
    private: tuple[str, ...] = ()
    wrong: list[str] = field(default_factory=list)

    def routes(self) -> list[Route]:
        """The pages' routes that change something."""
        return [one for one in self.walk.routes() if one[0] != "GET" and not one[1].startswith("/api/v1")]

    async def ask(self, who: str, method: str, case: Case, *, field_token: bool = False) -> httpx2.Response:
        """The answer; nothing of it is kept."""
        cookie, secret = self._cookie(who)
        headers = {"accept-language": "en", "cookie": cookie, "content-type": case.kind}
        content = case.content
        if field_token and case.kind == FORM:
            content += f"&{TOKEN_FIELD}={form_token(secret)}".encode()
        else:
            headers[TOKEN_HEADER] = form_token(secret)
        async with self.walk.untouched(), self.walk.site.client() as client:
            return await client.request(method, case.address, content=content, headers=headers)

    def _cookie(self, who: str) -> tuple[str, str]:
        if who in self.walk.browsers:
            return f"{cookies.SESSION}={self.walk.browsers[who]}", self.walk.browsers[who]
        return f"{cookies.VISIT}={VISIT}", VISIT

    def judge(self, who: str, route: Route, name: str, answer: httpx2.Response) -> None:
        """Note what may never be in an answer, whoever asked what."""
        text, kind = answer.text, answer.headers.get("content-type", "")
        said = [mark for mark in FAULTS if mark in text]
        if answer.status_code >= 500:
            said.append(f"status {answer.status_code}")
        if "html" in kind:
            said += [mark for mark in RAW if mark in text]
        if SUM in text or "uid=" in text:
            said.append("evaluated")
        for header in ("location", "hx-redirect"):
            if not _stays(answer.headers.get(header, "/")):
                said.append(f"{header}: {answer.headers[header]}")
        if "x-fuzz" in answer.headers:
            said.append("a header of the asker's")
        if who not in DEEP and SECRET in text + str(answer.headers):
            said.append("another's private thing")
        self.wrong += [f"{who} {' '.join(route)} {name}: {one}" for one in said]


def _stays(address: str) -> bool:
    return address.startswith("/") and not urlsplit(address).netloc and not re.match(r"/[/\\]", address)


@asynccontextmanager
async def ready(site: Site, spec: dict[str, Any]) -> AsyncIterator[Fuzz]:
    """Everybody and everything of the walk, a private App with a request, a webhook and a notice of kim's, and all forms."""
    async with prepared(site, spec) as walk:
        private = {**spec, "app_id": PRIVATE_APP, "name": f"{SECRET} app"}
        request = await site.world.submit(private, name=f"{SECRET} request")
        kim = site.world.actors["kim"]
        async with transaction(site.world.maker) as session:
            await appmanage.share(session, kim, PRIVATE_APP, visibility="private", share_logs=False)
            await noticechoices.set_webhook(session, kim, site.world.context.settings, f"https://{SECRET}.example/")
            session.add(Notice(user_id=kim.user_id, kind="finished", object_id=request, data={"name": SECRET}))
        fuzz = Fuzz(walk, private=(PRIVATE_APP, request))
        await _read_forms(fuzz, "anonymous", only="/login")
        for who in sorted(DEEP):
            await _read_forms(fuzz, who)
        yield fuzz


async def _read_forms(fuzz: Fuzz, who: str, only: str = "") -> None:
    """Every form on every page that this person sees, or on one."""
    patterns = {
        route: re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route[1])))
        for route in fuzz.routes()
        if route[0] == "POST"
    }
    for method, path in fuzz.walk.routes():
        if (
            method != "GET"
            or path.startswith("/api/")
            or path.endswith(("/events", "/follow"))
            or only not in ("", path)
        ):
            continue
        page = await fuzz.ask(who, method, Case(fuzz.walk.filled(path + QUERIES.get(f"GET {path}", "")), b"", FORM))
        if "html" not in page.headers.get("content-type", ""):
            continue
        for form in forms_of(page.text):
            goal = urlsplit(form.action).path or path
            routes = [route for route, pattern in patterns.items() if pattern.fullmatch(goal)]
            assert routes, f"{path}: a form leads to {form.action!r}, which no route takes"
            for route in routes:
                fuzz.forms.setdefault(route, []).append(form)


@pytest.mark.whole
@pytest.mark.timeout(900)
async def test_no_value_breaks_a_page_leads_away_or_shows_what_is_anothers(site: Site, small: dict[str, Any]) -> None:
    async with ready(site, small) as fuzz:
        assert len(fuzz.forms) > 40, sorted(fuzz.forms)
        for number in range(ROUNDS):
            for route in fuzz.routes():
                for who in ROLES:
                    if number == 0 or who in DEEP:
                        await _one(fuzz, route, who, number)
    assert not fuzz.wrong, "\n".join(fuzz.wrong)


async def _one(fuzz: Fuzz, route: Route, who: str, number: int) -> None:
    method, path = route
    name = f"seed {SEED}:{number}"
    dice = Dice(random.Random(f"{name} {who} {method} {path}"), fuzz.private)
    address = dice.address(path, fuzz.walk.places_of(path), QUERIES.get(f"{method} {path}", ""))
    case = _case(fuzz, dice, route, address)
    answer = await fuzz.ask(who, method, case, field_token=dice.random.random() < 1 / 2)
    fuzz.judge(who, route, name, answer)


def _case(fuzz: Fuzz, dice: Dice, route: Route, address: str) -> Case:
    method, path = route
    content, kind = body(method, path, fuzz.walk.spec)
    if kind == JSON:
        return dice.document(address, json.loads(content))
    forms = fuzz.forms.get(route)
    if forms:
        form = dice.random.choice(forms)
        return dice.form(address, form.fields, form.multipart)
    return dice.form(address, dict(parse_qsl(content.decode())), False)


async def test_a_page_that_is_wrong_in_any_of_these_ways_is_noticed(site: Site, small: dict[str, Any]) -> None:
    """The judge judges."""
    answers = {
        "status 500": httpx2.Response(500),
        SCRIPT: httpx2.Response(200, html=f"<p>{SCRIPT}</p>"),
        "evaluated": httpx2.Response(200, text=SUM),
        f"location: //{ELSEWHERE}/": httpx2.Response(303, headers={"location": f"//{ELSEWHERE}/"}),
        f"hx-redirect: https://{ELSEWHERE}/": httpx2.Response(204, headers={"hx-redirect": f"https://{ELSEWHERE}/"}),
        "a header of the asker's": httpx2.Response(200, headers={"X-Fuzz": "1"}),
        "another's private thing": httpx2.Response(200, text=f"x {SECRET}"),
        FAULTS[0]: httpx2.Response(400, text=FAULTS[0]),
    }
    for said, answer in answers.items():
        fuzz = Fuzz(Walk(site, None))  # type: ignore[arg-type]
        fuzz.judge("viewer", ("POST", "/x"), "seed", answer)
        assert fuzz.wrong == [f"viewer POST /x seed: {said}"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Hundreds of log lines say nothing here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
