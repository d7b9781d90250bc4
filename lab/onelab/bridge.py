"""The private bridge between the nodes, and their interfaces on it."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from onelab.addressing import choose_subnet, gateway, networks_in_use
from onelab.commands import run
from onelab.errors import CommandFailed

IP_TIMEOUT_S = 15
LINKS = Path("/sys/class/net")


def free_subnet(lab_id: str, bridge: str, previous: IPv4Network | None) -> IPv4Network:
    """Return the /24 that the lab uses from now on: the one it had, if no other interface has taken it.

    Raises: NoFreeSubnet.
    """
    listing = run(["ip", "-json", "-4", "addr", "show"], timeout_s=IP_TIMEOUT_S)
    return choose_subnet(lab_id, networks_in_use(listing, bridge), previous)


def exists(link: str) -> bool:
    return (LINKS / link).exists()


def create(bridge: str, subnet: IPv4Network) -> None:
    """Make the bridge with this machine's address on it; one that is there gets the address it should have."""
    if not exists(bridge):
        run(["ip", "link", "add", bridge, "type", "bridge"], timeout_s=IP_TIMEOUT_S)
    wanted = f"{gateway(subnet)}/{subnet.prefixlen}"
    run(["ip", "addr", "replace", wanted, "dev", bridge], timeout_s=IP_TIMEOUT_S)
    run(["ip", "link", "set", bridge, "up"], timeout_s=IP_TIMEOUT_S)


def remove_link(link: str) -> None:
    """Remove a network interface or bridge; one that is gone already, or goes meanwhile, is what was wanted."""
    if not exists(link):
        return
    try:
        run(["ip", "link", "delete", link], timeout_s=IP_TIMEOUT_S)
    except CommandFailed:
        if exists(link):
            raise
