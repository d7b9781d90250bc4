"""The private bridge between the nodes: made, found and removed."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

from onelab.addressing import choose_subnet, gateway, networks_in_use
from onelab.commands import run

IP_TIMEOUT_S = 15


def free_subnet(lab_id: str, bridge: str, previous: IPv4Network | None) -> IPv4Network:
    """Return the /24 that the lab uses from now on: the one it had, if no other interface has taken it.

    Raises: NoFreeSubnet.
    """
    listing = run(["ip", "-json", "-4", "addr", "show"], timeout_s=IP_TIMEOUT_S)
    return choose_subnet(lab_id, networks_in_use(listing, bridge), previous)


def exists(bridge: str) -> bool:
    links = json.loads(run(["ip", "-json", "link", "show", "type", "bridge"], timeout_s=IP_TIMEOUT_S) or "[]")
    return any(link.get("ifname") == bridge for link in links)


def create(bridge: str, subnet: IPv4Network) -> None:
    """Make the bridge with this machine's address on it; one that is there gets the address it should have."""
    if not exists(bridge):
        run(["ip", "link", "add", bridge, "type", "bridge"], timeout_s=IP_TIMEOUT_S)
    wanted = f"{gateway(subnet)}/{subnet.prefixlen}"
    run(["ip", "addr", "replace", wanted, "dev", bridge], timeout_s=IP_TIMEOUT_S)
    run(["ip", "link", "set", bridge, "up"], timeout_s=IP_TIMEOUT_S)


def remove(bridge: str) -> None:
    if exists(bridge):
        run(["ip", "link", "delete", bridge], timeout_s=IP_TIMEOUT_S)
