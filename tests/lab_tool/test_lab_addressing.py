"""Addresses: stable for a checkout, free on this machine, the same story on every node."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

import pytest
from onelab.addressing import (
    CANDIDATES,
    address,
    candidate_subnets,
    choose_subnet,
    gateway,
    hosts_file,
    network_file,
    networks_in_use,
)
from onelab.errors import NoFreeSubnet
from onelab.layout import node_named

NET = IPv4Network("10.178.175.0/24")


@pytest.mark.parametrize("lab_id", ["000000", "ffffff", "f2af6c"])
def test_candidates_are_distinct_private_and_out_of_the_usual_ranges(lab_id: str) -> None:
    networks = list(candidate_subnets(lab_id))
    assert len(set(networks)) == len(networks) == CANDIDATES
    assert all(network.subnet_of(IPv4Network("10.128.0.0/10")) for network in networks)
    assert networks == list(candidate_subnets(lab_id))


def test_the_subnet_used_before_is_kept_while_it_is_free() -> None:
    assert choose_subnet("f2af6c", [IPv4Network("172.16.0.0/16")], previous=NET) == NET


def test_a_taken_subnet_is_passed_over_also_when_only_overlapped() -> None:
    first, second, *_ = candidate_subnets("f2af6c")
    assert choose_subnet("f2af6c", []) == first
    assert choose_subnet("f2af6c", [first.supernet(new_prefix=23)]) == second
    assert choose_subnet("f2af6c", [NET], previous=NET) == next(n for n in candidate_subnets("f2af6c") if n != NET)


def test_no_free_subnet_says_how_many_were_tried() -> None:
    with pytest.raises(NoFreeSubnet, match=f"none of {CANDIDATES} "):
        choose_subnet("f2af6c", [IPv4Network("10.0.0.0/8")])


def test_networks_in_use_leaves_out_the_labs_own_bridge() -> None:
    listing = json.dumps(
        [
            {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]},
            {"ifname": "eth0", "addr_info": [{"local": "172.16.3.5", "prefixlen": 16}]},
            {"ifname": "one-f2af6c", "addr_info": [{"local": "10.178.175.1", "prefixlen": 24}]},
            {"ifname": "down0"},
        ]
    )
    assert networks_in_use(listing, "one-f2af6c") == (IPv4Network("127.0.0.0/8"), IPv4Network("172.16.0.0/16"))


def test_hosts_file_whole() -> None:
    assert hosts_file(NET) == (
        "127.0.0.1 localhost\n"
        "10.178.175.10 ctl\n"
        "10.178.175.11 svc registry.avatar.io\n"
        "10.178.175.21 gpu1\n"
        "10.178.175.22 gpu2\n"
        "10.178.175.23 gpu3\n"
    )


def test_network_file_has_an_address_and_no_way_out() -> None:
    assert network_file(NET, node_named("gpu3")) == (
        "[Match]\nName=host0\n\n[Network]\nAddress=10.178.175.23/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )
    assert str(gateway(NET)) == "10.178.175.1"
    assert str(address(NET, node_named("ctl"))) == "10.178.175.10"
