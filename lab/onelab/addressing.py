"""Addresses of the lab: a private /24 per checkout, the hosts file, each node's network file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from onelab.errors import NoFreeSubnet
from onelab.layout import NODES, Node

FIRST_SECOND_OCTET = 128
"""10.128.0.0/10 is rarely used by containers, VPNs or clouds, which like 10.0, 10.8, 10.42, 10.88 and 10.96."""

CANDIDATES = 64


def candidate_subnets(lab_id: str) -> Iterator[IPv4Network]:
    """Yield the /24 networks a lab may use, best first; `lab_id` is six hex digits."""
    start = int(lab_id, 16) % (64 * 256)
    for step in range(CANDIDATES):
        # 2731 is odd, so the walk visits different networks and leaves the neighbourhood of the first at once.
        number = (start + step * 2731) % (64 * 256)
        yield IPv4Network(f"10.{FIRST_SECOND_OCTET + number // 256}.{number % 256}.0/24")


def choose_subnet(lab_id: str, taken: Iterable[IPv4Network], previous: IPv4Network | None = None) -> IPv4Network:
    """Return the network used before if it is still free, else the first free candidate.

    Raises: NoFreeSubnet.
    """
    occupied = tuple(taken)
    candidates = ([previous] if previous else []) + list(candidate_subnets(lab_id))
    for network in candidates:
        if not any(network.overlaps(other) for other in occupied):
            return network
    raise NoFreeSubnet(len(candidates))


def networks_in_use(ip_json: str, own_bridge: str) -> tuple[IPv4Network, ...]:
    """Return the IPv4 networks of all interfaces but `own_bridge`, from `ip -json -4 addr show`.

    A line of it: [{"ifname": "eth0", "addr_info": [{"local": "172.16.0.5", "prefixlen": 24}]}]
    """
    return tuple(
        IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
        for interface in json.loads(ip_json)
        if interface.get("ifname") != own_bridge
        for address in interface.get("addr_info", ())
    )


def gateway(subnet: IPv4Network) -> IPv4Address:
    """Address of this machine on the bridge; no node has a route through it."""
    return subnet.network_address + 1


def address(subnet: IPv4Network, node: Node) -> IPv4Address:
    return subnet.network_address + node.octet


def hosts_file(subnet: IPv4Network) -> str:
    """Text of /etc/hosts, the same on every node."""
    lines = ["127.0.0.1 localhost"]
    lines += [" ".join((str(address(subnet, node)), node.name, *node.aliases)) for node in NODES]
    return "\n".join(lines) + "\n"


def network_file(subnet: IPv4Network, node: Node) -> str:
    """Text of the node's systemd-networkd file: a static address and no way out."""
    return (
        "[Match]\nName=host0\n\n"
        f"[Network]\nAddress={address(subnet, node)}/{subnet.prefixlen}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )
