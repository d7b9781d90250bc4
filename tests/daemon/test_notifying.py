"""The outbox: each message leaves once, is tried again when the other side is away, and is given up after a day."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_network
from typing import Any

import pytest
import time_machine
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import update

from portal.daemon import mailing, webhooks
from portal.daemon.notifying import Notifying
from portal.db.engine import transaction
from portal.db.models import NoticeDelivery, User, now
from portal.domain.notices import Kind
from portal.domain.noticewords import Words
from portal.services import accounts, deliveries, noticechoices
from portal.services.accounts import Role
from portal.services.deliveries import Outcome, Parcel
from portal.settings import Notify, Settings, Web
from tests.daemon.world import ADMIN_TOOL, World

pytestmark = pytest.mark.anyio
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Sender:
    """Says what it is told to say and keeps what it was given."""

    outcome: Outcome = field(default_factory=Outcome)
    sent: list[Parcel] = field(default_factory=list)

    async def __call__(self, settings: Settings, parcel: Parcel) -> Outcome:
        self.sent.append(parcel)
        return self.outcome


async def told_by_mail(world: World) -> None:
    async with transaction(world.maker) as session:
        await session.execute(update(User).where(User.username == "kim").values(email="kim@lab.example", language="en"))
        await accounts.change_user(session, ADMIN_TOOL, "kim", role=Role.VIEWER)


async def delivery(world: World) -> NoticeDelivery:
    rows: list[NoticeDelivery] = await world.rows(NoticeDelivery)
    assert len(rows) == 1
    return rows[0]


async def test_a_message_is_sent_once(world: World) -> None:
    await told_by_mail(world)
    mail = Sender()
    loop = Notifying({"email": mail})
    await loop(world.context)
    await loop(world.context)
    assert [(parcel.to, parcel.words.title) for parcel in mail.sent] == [("kim@lab.example", "Role changed")]
    assert (await delivery(world)).state == "sent"


async def test_what_fails_is_tried_later_and_given_up_after_a_day(world: World) -> None:
    await told_by_mail(world)
    mail = Sender(Outcome("the server is away"))
    loop = Notifying({"email": mail})
    begun = now()
    with time_machine.travel(begun, tick=False) as clock:
        await loop(world.context)
        await loop(world.context)
        assert len(mail.sent) == 1
        waiting = await delivery(world)
        assert (waiting.state, waiting.error, waiting.tries) == ("waiting", "the server is away", 1)
        for _ in range(60):
            clock.shift(timedelta(minutes=30))
            await loop(world.context)
    given_up = await delivery(world)
    assert (given_up.state, given_up.error) == ("failed", "the server is away")
    assert 20 < len(mail.sent) < 50
    async with world.maker() as session:
        shown = await noticechoices.choosing(session, world.actors["kim"])
    assert [found.delivery.error for found in shown.undelivered] == ["the server is away"]


async def test_a_last_word_is_not_asked_for_again(world: World) -> None:
    await told_by_mail(world)
    mail = Sender(Outcome("550 no such user", final=True))
    await Notifying({"email": mail})(world.context)
    assert (await delivery(world)).state == "failed"


async def test_a_claimed_message_is_nobody_elses_until_its_daemon_is_gone(world: World) -> None:
    await told_by_mail(world)
    with time_machine.travel(now(), tick=False) as clock:
        async with transaction(world.maker) as session:
            (first,) = await deliveries.claim(session)
        async with transaction(world.maker) as session:
            assert await deliveries.claim(session) == []
        clock.shift(deliveries.LEASE + timedelta(seconds=1))
        async with transaction(world.maker) as session:
            (second,) = await deliveries.claim(session)
    assert (first.id, second.id, second.tries) == (first.id, first.id, 2)
    settings = world.context.settings
    assert mailing.message_of(settings, first)["Message-ID"] == mailing.message_of(settings, second)["Message-ID"]


async def test_a_site_without_mail_sends_none_and_who_left_gets_none(world: World) -> None:
    await told_by_mail(world)
    await Notifying()(world.context)
    assert (await delivery(world)).state == "off"


async def test_one_broken_message_holds_up_no_other(world: World) -> None:
    await told_by_mail(world)
    async with transaction(world.maker) as session:
        await accounts.change_user(session, ADMIN_TOOL, "kim", role=Role.RESEARCHER)
    sent = []

    async def send(settings: Settings, parcel: Parcel) -> Outcome:
        if parcel.id == 1:
            raise RuntimeError("broken")
        sent.append(parcel.id)
        return Outcome()

    await Notifying({"email": send})(world.context)
    assert sent == [2]


def parcel(**changed: Any) -> Parcel:
    made = Parcel(
        id=7,
        channel="email",
        tries=1,
        to="kim@lab.example",
        secret="onewh_secret",
        kind=Kind.FAILED,
        object_id="W-A1B2C3",
        told_at=now(),
        words=Words("실패", "설계 최적화 (W-A1B2C3)", "먼저 멈춘 컴포넌트: A (종료 코드 1)"),
        path="/workloads/W-A1B2C3",
        korean=True,
    )
    return replace(made, **changed)


SITE = Settings(web=Web(public_url="https://one.lab.example"), notify=Notify(smtp_host="127.0.0.1"))


def test_a_mail_is_plain_text_with_a_link() -> None:
    message = mailing.message_of(SITE, parcel())
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert read["Subject"] == "[OnE] 실패: 설계 최적화 (W-A1B2C3)"
    assert read["To"] == "kim@lab.example"
    assert read["Message-ID"] == "<notice-7@one.lab.example>"
    assert read.get_content_type() == "text/plain"
    assert "https://one.lab.example/workloads/W-A1B2C3" in read.get_content()
    assert "먼저 멈춘 컴포넌트" in read.get_content()


@pytest.mark.parametrize("text", ["a\r\nBcc: all@lab.example", "a\nX: y", "a\rb", "a\0b", "a\x1b[31m"])
def test_no_header_can_be_smuggled_in(text: str) -> None:
    for changed in ({"to": f"kim@lab.example{text}"}, {"words": Words(text, "", "")}):
        with pytest.raises(ValueError, match="control characters"):
            mailing.message_of(SITE, parcel(**changed))


async def test_a_mail_that_cannot_be_made_is_given_up() -> None:
    assert (await mailing.send(SITE, parcel(to="a\nb@lab.example"))).final


class Box:
    """A mailbox behind a real SMTP server."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.answer = answer
        self.mails: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.mails.append(envelope)
        return self.answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def smtp_server(box: Box) -> Iterator[Settings]:
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        notify = Notify(smtp_host="127.0.0.1", smtp_port=port, smtp_tls="none", sender="one@lab.example")
        yield SITE.model_copy(update={"notify": notify})
    finally:
        controller.stop()


@pytest.mark.whole
async def test_a_mail_arrives_at_a_real_server(world: World) -> None:
    box = Box()
    await told_by_mail(world)
    with smtp_server(box) as settings:
        context = replace(world.context, settings=settings)
        await Notifying()(context)
        await Notifying()(context)
    assert (await delivery(world)).state == "sent"
    (envelope,) = box.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("one@lab.example", ["kim@lab.example"])
    read = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
    assert isinstance(read, EmailMessage)
    assert read["Subject"] == "[OnE] Role changed"
    assert "changed your role from Researcher to Viewer" in read.get_content()


@pytest.mark.whole
@pytest.mark.parametrize(("answer", "final"), [("451 later", False), ("554 never", True)])
async def test_what_a_real_server_refuses(answer: str, final: bool) -> None:
    with smtp_server(Box(answer)) as settings:
        outcome = await mailing.send(settings, parcel())
    assert (outcome.error, outcome.final) == (answer, final)


@pytest.mark.whole
async def test_a_server_that_is_away_or_without_tls_is_tried_again() -> None:
    away = SITE.model_copy(update={"notify": Notify(smtp_host="127.0.0.1", smtp_port=free_port(), smtp_tls="none")})
    outcome = await mailing.send(away, parcel())
    assert outcome.error
    assert not outcome.final
    box = Box()
    with smtp_server(box) as settings:
        strict = settings.model_copy(update={"notify": settings.notify.model_copy(update={"smtp_tls": "starttls"})})
        outcome = await mailing.send(strict, parcel())
    assert "STARTTLS" in outcome.error
    assert box.mails == []


@dataclass
class Hook:
    """A web server that keeps requests and answers as it is told."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    requests: list[bytes] = field(default_factory=list)
    url: str = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def hook(answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n") -> AsyncIterator[Hook]:
    found = Hook(answer)
    server = await asyncio.start_server(found, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=b"
    async with server:
        yield found


def site(*, allowed: bool = True) -> Settings:
    notify = Notify(webhook_http=True, webhook_networks=LOOPBACK if allowed else ())
    return SITE.model_copy(update={"notify": notify})


@pytest.mark.whole
async def test_a_webhook_gets_a_signed_post() -> None:
    async with hook() as found:
        assert await webhooks.send(site(), parcel(to=found.url)) == Outcome()
    head, _, body = found.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == "POST /hook?a=b HTTP/1.1"
    document = json.loads(body)
    assert document["event"] == "failed"
    assert document["url"] == "https://one.lab.example/workloads/W-A1B2C3"
    signed = f"{headers['X-One-Timestamp']}.".encode() + body
    assert headers["X-One-Signature"] == "v1=" + hmac.new(b"onewh_secret", signed, "sha256").hexdigest()
    assert headers["X-One-Delivery"] == "7"


@pytest.mark.whole
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n", "HTTP 302 (redirects are not followed)"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "HTTP 500"),
        (b"SSH-2.0-OpenSSH_9\r\n", "the answer is not HTTP"),
        (b"x" * 100_000, "the answer is not HTTP"),
    ],
)
async def test_whatever_a_webhook_answers_is_only_a_number(answer: bytes, error: str) -> None:
    async with hook(answer) as found:
        assert (await webhooks.send(site(), parcel(to=found.url))).error == error
    assert len(found.requests) == 1


@pytest.mark.whole
async def test_an_address_inside_is_never_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hook() as found:
        outcome = await webhooks.send(site(allowed=False), parcel(to=found.url, korean=False))
    assert outcome.final
    assert "127.0.0.1 is not on the public internet" in outcome.error
    assert found.requests == []


@pytest.mark.whole
async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere at the second look (DNS rebinding) gains nothing: there is no second look."""
    looked_up: list[str] = []

    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        address = "127.0.0.1" if len(looked_up) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("portal.daemon.webhooks.anyio.getaddrinfo", resolve)
    async with hook() as found:
        url = found.url.replace("127.0.0.1", "hooks.lab.example")
        assert await webhooks.send(site(), parcel(to=url)) == Outcome()
    assert b"Host: hooks.lab.example:" in found.requests[0]
    assert looked_up == ["hooks.lab.example"]


async def test_a_name_with_one_address_inside_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr("portal.daemon.webhooks.anyio.getaddrinfo", resolve)
    outcome = await webhooks.send(site(), parcel(to="https://hooks.example.org/", korean=False))
    assert outcome.final
    assert "10.0.0.1" in outcome.error


@pytest.mark.whole
async def test_a_webhook_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_S", 0.3)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await webhooks.send(site(), parcel(to=f"http://127.0.0.1:{port}/"))
        await asyncio.sleep(0.1)
    assert outcome.error.startswith("no answer")
    assert not outcome.final


@pytest.mark.whole
async def test_http_needs_the_sites_word() -> None:
    async with hook() as found:
        strict = SITE.model_copy(update={"notify": Notify(webhook_networks=LOOPBACK)})
        assert (await webhooks.send(strict, parcel(to=found.url))).final
    assert found.requests == []
