"""Keys that belong to one checkout's lab: ssh in both directions, the lab's certificate authority."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from onelab.addressing import address
from onelab.commands import run
from onelab.layout import NODES, Layout, Node

KEYGEN_TIMEOUT_S = 30
CA_DAYS = 3650
CA_SUBJECT = "/O=OnE lab/CN=OnE lab CA"


def make_login_key(layout: Layout) -> str:
    """Return the public key that may log in as root on every node, making the pair on first use."""
    _make_key(layout.ssh_key, comment=f"one-lab-{layout.lab_id}")
    return layout.ssh_key.with_suffix(".pub").read_text()


def make_host_key(layout: Layout, node: Node) -> None:
    """Give the node its own ssh host key, before its first boot, so that known_hosts is right from the start."""
    _make_key(layout.upper(node) / "etc/ssh/ssh_host_ed25519_key", comment=node.name)


def write_known_hosts(layout: Layout, subnet: IPv4Network) -> None:
    lines = []
    for node in NODES:
        public = (layout.upper(node) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        lines.append(f"{address(subnet, node)},{node.name} {public[0]} {public[1]}\n")
    layout.known_hosts.write_text("".join(lines))


def make_ca(layout: Layout) -> None:
    """Make the certificate authority that signs the registry's TLS certificate, on first use."""
    key, certificate = layout.ca / "ca.key", layout.ca / "ca.crt"
    if certificate.exists():
        return
    layout.ca.mkdir(parents=True, exist_ok=True, mode=0o700)
    run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-days", str(CA_DAYS), "-subj", CA_SUBJECT, "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        timeout_s=KEYGEN_TIMEOUT_S,
    )


def _make_key(path: Path, comment: str) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], timeout_s=KEYGEN_TIMEOUT_S)
