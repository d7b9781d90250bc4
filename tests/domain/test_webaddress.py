"""Which addresses the portal calls for people."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from portal.domain.webaddress import NotAllowed, Target, check_address, parse_webhook


def test_a_url_in_its_parts() -> None:
    found = parse_webhook("https://hooks.example.org:8443/a/b?c=d", allow_http=False)
    assert found == Target(True, "hooks.example.org", 8443, "/a/b?c=d")
    assert found.authority == "hooks.example.org:8443"
    assert parse_webhook("https://hooks.example.org", allow_http=False).target == "/"
    assert parse_webhook("https://[2606:4700::1]/", allow_http=False).authority == "[2606:4700::1]"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user:pass@hooks.example.org/",
        "https://hooks.example.org@127.0.0.1/",
        "https://hooks.example.org/#fragment",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nX-Evil: 1",
        "https://hooks.example.org\\@127.0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://[not-an-address/",
        "https://예.kr/",
        "https://hooks.example.org/" + "a" * 500,
    ],
)
def test_what_is_no_webhook(url: str) -> None:
    with pytest.raises(NotAllowed):
        parse_webhook(url, allow_http=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:0:0:0:0:0:80ff:fffe",
        "not an address",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(NotAllowed):
        check_address(address, ())


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:4700:4700::1111", "::ffff:93.184.216.34", "64:ff9b::808:808"]
)
def test_public_addresses_may_be_called(address: str) -> None:
    assert str(check_address(address, ())) == str(check_address(address, (ip_network("10.0.0.0/8"),)))


def test_a_site_may_allow_its_own_networks_and_only_those() -> None:
    allowed = (ip_network("10.20.0.0/16"), ip_network("::1/128"))
    assert str(check_address("10.20.1.1", allowed)) == "10.20.1.1"
    assert str(check_address("::1", allowed)) == "::1"
    for address in ("10.21.0.1", "169.254.169.254", "127.0.0.1"):
        with pytest.raises(NotAllowed):
            check_address(address, allowed)
