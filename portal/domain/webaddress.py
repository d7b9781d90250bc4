"""Addresses that people give and the portal itself calls: what such a URL may be, and where it may lead."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

MAX_CHARS = 500
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator. Source: RFC 6052, section 2.1."""
_COMPATIBLE = IPv6Network("::/96")


class NotAllowed(ValueError):
    """The portal does not call this address; the messages are for its owner."""

    def __init__(self, message_en: str, message_ko: str) -> None:
        super().__init__(message_en)
        self.message_en = message_en
        self.message_ko = message_ko


@dataclass(frozen=True)
class Target:
    """A URL in its parts; `target` is path and query as the request line has them."""

    tls: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def parse_webhook(url: str, *, allow_http: bool) -> Target:
    """`https://host[:port]/path?query` in ASCII, without user, password or fragment. Raises NotAllowed."""
    if not url or len(url) > MAX_CHARS or not all("!" <= char <= "~" for char in url) or "\\" in url:
        raise _not_a_url()
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise _not_a_url() from error
    if parts.scheme not in (("http", "https") if allow_http else ("https",)):
        raise NotAllowed("The address must begin with https://", "주소는 https://로 시작해야 합니다.")
    if not host or "@" in parts.netloc or parts.fragment or port == 0 or "%" in host:
        raise _not_a_url()
    path = parts.path or "/"
    tls = parts.scheme == "https"
    return Target(tls, host, port or (443 if tls else 80), f"{path}?{parts.query}" if parts.query else path)


def check_address(text: str, allowed: Collection[Network]) -> Address:
    """An address that a name led to. Raises NotAllowed unless it is public, or in a network that the site allows."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError as error:
        raise NotAllowed(f"Not an address: {text}", f"주소가 아닙니다: {text}") from error
    address = _inner(found)
    if any(one in network for network in allowed for one in (found, address) if one.version == network.version):
        return found
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        raise NotAllowed(
            f"{found} is not on the public internet; an administrator can allow its network (notify.webhook_networks).",
            f"{found}은(는) 공인 주소가 아닙니다. 관리자가 네트워크를 허용할 수 있습니다 (notify.webhook_networks).",
        )
    return found


def _inner(address: Address) -> Address:
    """The IPv4 address inside one of IPv6 that only wraps it."""
    if isinstance(address, IPv4Address):
        return address
    teredo = address.teredo[1] if address.teredo else None
    wrapped = address.ipv4_mapped or address.sixtofour or teredo
    if wrapped is None and (address in _NAT64 or address in _COMPATIBLE):
        wrapped = IPv4Address(int(address) & 0xFFFFFFFF)
    return wrapped or address


def _not_a_url() -> NotAllowed:
    return NotAllowed(
        f"Not a web address of at most {MAX_CHARS} characters without user name: https://host/path",
        f"사용자 이름이 없는 {MAX_CHARS}자 이하의 웹 주소가 아닙니다: https://host/path",
    )
