"""`one login` in the browser: only the terminal that asked gets a token, only after a yes, only once."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from hashlib import sha256

import httpx2
import pytest
import time_machine
from sqlalchemy import select

from portal.cli import browserlogin
from portal.cli.context import Cli
from portal.db.engine import transaction
from portal.db.models import Audit, now
from portal.services import accounts
from tests.daemon.world import ADMIN_TOOL
from tests.web.conftest import Site
from tests.web.test_signin import kim, sign_in, token_in

__all__ = ["kim"]


class Terminal:
    """What `one login` does, step by step."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.verifier = secrets.token_urlsafe(32)

    async def ask(self) -> str:
        challenge = sha256(self.verifier.encode()).hexdigest()
        answer = await self._post("/login", {"challenge": challenge, "host": "login1"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])

    async def collect(self, verifier: str = "") -> httpx2.Response:
        return await self._post("/login/token", {"verifier": verifier or self.verifier})

    async def _post(self, path: str, body: dict[str, str]) -> httpx2.Response:
        async with self.site.client() as client:
            return await client.post(f"/api/v1{path}", json=body)


async def decide(browser: httpx2.AsyncClient, code: str, decision: str) -> httpx2.Response:
    page = await browser.get("/connect", params={"code": code})
    assert code in page.text
    return await browser.post("/connect", data={"form_token": token_in(page), "code": code, "decision": decision})


async def test_a_yes_gives_the_asking_terminal_a_token_once(kim: Site) -> None:
    terminal = Terminal(kim)
    code = await terminal.ask()
    assert re.fullmatch(r"[B-XZ]{4}-[B-XZ]{4}", code)
    assert (await terminal.collect()).json() == {"status": "pending"}
    async with kim.client() as browser:
        await sign_in(browser)
        assert (await decide(browser, code, "yes")).status_code == 303
        assert (await browser.get("/connect", params={"code": code})).status_code == 404, "decided once"
    assert (await terminal.collect(secrets.token_urlsafe(32))).status_code == 404, "the code is not the secret"
    given = await terminal.collect()
    assert given.headers["cache-control"] == "no-store"
    assert given.json()["scopes"] == ["download", "read", "submit"]
    async with kim.client(Authorization=f"Bearer {given.json()['value']}") as client:
        assert (await client.get("/api/v1/me")).json()["username"] == "kim"
    assert (await terminal.collect()).status_code == 404
    async with kim.world.maker() as session:
        row = await session.scalar(select(Audit).where(Audit.action == "token.create").order_by(Audit.id.desc()))
        assert row is not None
        assert row.after is not None
        assert (row.actor, row.after["name"]) == ("kim", "one login (login1)")


async def test_a_no_a_deactivation_and_ten_minutes_end_it(kim: Site) -> None:
    refused, late, gone = Terminal(kim), Terminal(kim), Terminal(kim)
    codes = [await terminal.ask() for terminal in (refused, late, gone)]
    async with kim.client() as browser:
        await sign_in(browser)
        await decide(browser, codes[0], "no")
        await decide(browser, codes[2], "yes")
    assert (await refused.collect()).status_code == 403
    async with transaction(kim.world.maker) as session:
        await accounts.deactivate(session, ADMIN_TOOL, "kim")
    assert (await gone.collect()).status_code == 403
    with time_machine.travel(now() + timedelta(minutes=11)):
        assert (await late.collect()).status_code == 404


async def test_another_site_cannot_say_yes_and_nobody_without_a_session(kim: Site) -> None:
    terminal = Terminal(kim)
    code = await terminal.ask()
    async with kim.client() as browser:
        assert (await browser.get("/connect", params={"code": code})).status_code == 303
        await sign_in(browser)
        assert (await browser.post("/connect", data={"code": code, "decision": "yes"})).status_code == 403
    assert (await terminal.collect()).json() == {"status": "pending"}


async def test_one_address_cannot_fill_the_table(kim: Site) -> None:
    for _ in range(20):
        await Terminal(kim).ask()
    answer = await Terminal(kim)._post("/login", {"challenge": sha256(b"x").hexdigest(), "host": ""})
    assert (answer.status_code, answer.json()["code"]) == (429, "cli_logins")


def test_the_command_waits_shows_the_code_and_opens_a_browser_only_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([{"status": "pending"}, {"status": "done", "value": "one_x"}])
    bodies: list[bytes] = []

    def portal(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        if request.url.path.endswith("/token"):
            return httpx2.Response(200, json=next(answers))
        asked = {"code": "BCDF-GHJK", "path": "/connect?code=BCDF-GHJK", "expiresInS": 60, "intervalS": 0}
        return httpx2.Response(201, json=asked)

    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    cli = Cli(transport=httpx2.MockTransport(portal))
    assert browserlogin.token_from_browser(cli, "http://portal", open_browser=True) == "one_x"
    assert opened == []
    said = capsys.readouterr()
    assert "http://portal/connect?code=BCDF-GHJK" in said.err
    assert "one_x" not in said.out + said.err
    monkeypatch.setenv("DISPLAY", ":0")
    assert browserlogin.has_display()
