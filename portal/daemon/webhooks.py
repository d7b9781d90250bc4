"""Sends one notice to a person's webhook: a signed POST to an address that was looked at, whose answer counts only as a number.

The name is resolved once, every address it has is checked (portal.domain.webaddress), and the connection goes to the very
address that was checked. Nothing is followed, and of the answer only its first line is read.
"""

from __future__ import annotations

import hmac
import json
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Final

import anyio
from anyio.abc import ByteStream

from portal.domain.webaddress import Address, NotAllowed, Target, check_address, parse_webhook
from portal.services.deliveries import Outcome, Parcel
from portal.settings import Settings

TIMEOUT_S: Final = 15.0
"""For all of it: name, connection, TLS, request and the answer's first line."""
_STATUS_CHARS: Final = 256


async def send(settings: Settings, parcel: Parcel) -> Outcome:
    """Post it; what went wrong where the other side did not take it."""
    if not parcel.to:
        return Outcome(final=True, off=True)
    try:
        target = parse_webhook(parcel.to, allow_http=settings.notify.webhook_http)
        with anyio.fail_after(TIMEOUT_S):
            address = await _resolved(settings, target)
            status = await _post(target, address, request(target, parcel, settings.web.public_url, int(time.time())))
    except NotAllowed as error:
        return Outcome(error.message_ko if parcel.korean else error.message_en, final=True)
    except TimeoutError:
        return Outcome(f"no answer within {TIMEOUT_S:.0f} s")
    except (OSError, ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        return Outcome(f"{target.host}: {error or type(error).__name__}")
    if 200 <= status < 300:
        return Outcome()
    followed = " (redirects are not followed)" if 300 <= status < 400 else ""
    return Outcome(f"HTTP {status}{followed}" if status else "the answer is not HTTP")


async def _resolved(settings: Settings, target: Target) -> Address:
    """One address, if all that the name has may be called. Raises NotAllowed, OSError."""
    found = await anyio.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    checked = [check_address(str(entry[4][0]), settings.notify.webhook_networks) for entry in found]
    if not checked:
        raise OSError("the name has no address")
    return checked[0]


def body_of(parcel: Parcel, site: str) -> bytes:
    """What is sent, as JSON."""
    document = {
        "delivery": parcel.id,
        "event": parcel.kind.value,
        "object": parcel.object_id,
        "title": parcel.words.line,
        "text": parcel.words.sentence,
        "url": f"{site.rstrip('/')}{parcel.path}",
        "at": parcel.told_at.isoformat(),
    }
    return json.dumps(document, ensure_ascii=False).encode()


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body: neither can be changed or used at another time."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()


def request(target: Target, parcel: Parcel, site: str, timestamp: int) -> bytes:
    """The whole HTTP request. Every value is a number, hex, or was checked to be visible ASCII."""
    body = body_of(parcel, site)
    headers: Mapping[str, object] = {
        "Host": target.authority,
        "User-Agent": "OnE-webhook/1",
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "Connection": "close",
        "X-One-Delivery": parcel.id,
        "X-One-Timestamp": timestamp,
        "X-One-Signature": f"v1={signature(parcel.secret, timestamp, body)}",
    }
    lines = [f"POST {target.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join((*lines, "", "")).encode("ascii") + body


async def _post(target: Target, address: Address, data: bytes) -> int:
    """The answer's status; 0 for what is no HTTP."""
    stream: ByteStream
    if target.tls:
        stream = await anyio.connect_tcp(
            str(address),
            target.port,
            ssl_context=ssl.create_default_context(),
            tls_hostname=target.host,
            tls_standard_compatible=False,
        )
    else:
        stream = await anyio.connect_tcp(str(address), target.port)
    async with stream:
        await stream.send(data)
        line = b""
        while b"\n" not in line and len(line) < _STATUS_CHARS:
            line += await stream.receive(_STATUS_CHARS)
    version, _, rest = line.partition(b" ")
    return int(rest[:3]) if version.startswith(b"HTTP/1.") and rest[:3].isdigit() else 0
