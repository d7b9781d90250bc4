"""Names and places: which hosts the lab has, where a checkout keeps its state."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onelab.errors import UnknownNode


@dataclass(frozen=True)
class Node:
    """One host: its name, the last octet of its address, further names it is known by, its Ansible groups."""

    name: str
    octet: int
    groups: tuple[str, ...]
    aliases: tuple[str, ...] = ()


NODES = (
    Node("ctl", 10, ("slurm_controller", "slurm_database")),
    Node(
        "svc",
        11,
        ("slurm_rest", "portal", "object_store", "registry", "postgres", "monitoring", "keycloak"),
        aliases=("registry.avatar.io",),
    ),
    Node("gpu1", 21, ("slurm_compute", "simulated_gpus")),
    Node("gpu2", 22, ("slurm_compute", "simulated_gpus")),
    Node("gpu3", 23, ("slurm_compute", "simulated_gpus")),
)


def node_named(name: str) -> Node:
    """Return the node called `name`.

    Raises: UnknownNode.
    """
    for node in NODES:
        if node.name == name:
            return node
    raise UnknownNode(name, [node.name for node in NODES])


@dataclass(frozen=True)
class Layout:
    """Paths and names of one checkout's lab; several checkouts on a machine never share one."""

    checkout: Path

    @property
    def lab_id(self) -> str:
        """Six hex digits from the checkout's path: short enough for `vb-<id>-gpu1` (15 bytes is Linux' limit)."""
        return hashlib.sha256(str(self.checkout).encode()).hexdigest()[:6]

    @property
    def bridge(self) -> str:
        return f"one-{self.lab_id}"

    @property
    def state(self) -> Path:
        return self.checkout / ".lab"

    @property
    def ssh_key(self) -> Path:
        return self.state / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.state / "ssh" / "known_hosts"

    @property
    def inventory(self) -> Path:
        return self.state / "inventory.yml"

    @property
    def ca(self) -> Path:
        return self.state / "ca"

    @property
    def dist(self) -> Path:
        return self.state / "dist"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def record(self) -> Path:
        """JSON of the last `up`: subnet and layers."""
        return self.state / "lab.json"

    @property
    def applied(self) -> Path:
        """Fingerprint of what Ansible last configured without an error."""
        return self.state / "applied"

    @property
    def shares(self) -> dict[str, Path]:
        """Path inside every node -> folder on this machine."""
        return {"/shared": self.state / "shared", "/training-data": self.state / "training-data"}

    def machine(self, node: Node) -> str:
        """Name of the nspawn machine."""
        return f"{self.lab_id}-{node.name}"

    def interface(self, node: Node) -> str:
        """Name that nspawn gives the node's network interface on this machine."""
        return f"vb-{self.machine(node)}"

    def node_dir(self, node: Node) -> Path:
        return self.state / "nodes" / node.name

    def root(self, node: Node) -> Path:
        """Where the node's overlay is mounted."""
        return self.node_dir(node) / "root"

    def upper(self, node: Node) -> Path:
        """What the node has written over the shared layers; survives `down`."""
        return self.node_dir(node) / "upper"

    def console(self, node: Node) -> Path:
        return self.logs / f"{node.name}.console"


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of everything that checkouts share; ONE_LAB_CACHE overrides it."""
    chosen = environ.get("ONE_LAB_CACHE")
    return Path(chosen).absolute() if chosen else Path.home() / ".cache" / "one-lab"
