"""One node: its files, its overlay, its life from boot to death."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from onelab.addressing import hosts_file, network_file
from onelab.bridge import remove_link
from onelab.errors import LabError
from onelab.layout import NODES, Layout, Node
from onelab.mounts import mount_overlay
from onelab.nspawn import bind
from onelab.prerequisites import MOUNTS, cgroup_mounts
from onelab.processes import find_machine, kill_cgroup, stop, wait_until

FUSE = Path("/dev/fuse")
SHUTDOWN_TIMEOUT_S = 25
KILL_TIMEOUT_S = 10


def write_files(layout: Layout, node: Node, subnet: IPv4Network, login_key: str) -> None:
    """Write what makes the shared filesystem this node; done before every boot, so that a new subnet is taken up."""
    machine_id = hashlib.sha256(f"one-lab {layout.checkout} {node.name}".encode()).hexdigest()[:32]
    files = {
        "etc/hostname": f"{node.name}\n",
        "etc/hosts": hosts_file(subnet),
        "etc/resolv.conf": "",
        "etc/machine-id": f"{machine_id}\n",
        "etc/systemd/network/10-host0.network": network_file(subnet, node),
        "root/.ssh/authorized_keys": login_key,
    }
    upper = layout.upper(node)
    for name, text in files.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for private in ("root", "root/.ssh"):
        (upper / private).chmod(0o700)


def nspawn_argv(layout: Layout, node: Node) -> list[str]:
    """Return the command that boots the node's own systemd on the lab's bridge."""
    argv = ["systemd-nspawn", "-q", "-D", str(layout.root(node)), "--boot", "--register=no", "--keep-unit"]
    argv += [f"--hostname={node.name}", f"--machine={layout.machine(node)}", f"--network-bridge={layout.bridge}"]
    argv += ["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--capability=all", "--console=pipe"]
    argv += [bind(FUSE, str(FUSE))]
    argv += [bind(outside, inside) for inside, outside in layout.shares.items()]
    return argv


def boot(layout: Layout, node: Node, lowers: list[Path]) -> None:
    """Start the node; nothing happens where it runs already. Its console goes to `lab/lab logs`."""
    if find_machine(layout.root(node)) is not None:
        return
    clear_remains(layout, node)
    mount_overlay(lowers, layout.upper(node), layout.node_dir(node) / "work", layout.root(node))
    # Apptainer runs as ordinary users, who mount their images through it.
    FUSE.chmod(0o666)
    group = cgroup_of(layout, node)
    group.mkdir(parents=True, exist_ok=True)
    layout.logs.mkdir(parents=True, exist_ok=True)
    with layout.console(node).open("ab") as console:
        subprocess.Popen(
            nspawn_argv(layout, node),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # systemd 257 and later boots only on cgroup v2; nspawn's system call filter needs more than some VMs allow.
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_SECCOMP": "0"},
            # A cgroup a node, or the five systemds would fight over the same `system.slice`.
            preexec_fn=lambda: _join(group),
        )


def clear_remains(layout: Layout, node: Node) -> None:
    """End what a killed systemd-nspawn leaves: its node goes on without it, and so does the network interface."""
    kill_cgroup(cgroup_of(layout, node))
    remove_link(layout.interface(node))


def kill(layout: Layout, node: Node) -> None:
    """End the node as a power cut does.

    Raises: LabError when it is not running.
    """
    machine = find_machine(layout.root(node))
    if machine is None:
        raise LabError(f"{node.name} is not running")
    stop([machine.init_pid or machine.pid], signal.SIGKILL)
    if not wait_until(lambda: find_machine(layout.root(node)) is None, KILL_TIMEOUT_S):
        stop([machine.pid], signal.SIGKILL)
    kill_cgroup(cgroup_of(layout, node))


def shut_down(layout: Layout, nodes: Iterable[Node] = NODES) -> None:
    """Power the nodes off in good order, all at once; what does not end in time is killed."""
    running = [(node, machine) for node in nodes if (machine := find_machine(layout.root(node))) is not None]
    # nspawn turns SIGTERM into the signal that makes the node's systemd power off.
    stop([machine.pid for _, machine in running], signal.SIGTERM)
    wait_until(lambda: all(find_machine(layout.root(node)) is None for node, _ in running), SHUTDOWN_TIMEOUT_S)
    for node in nodes:
        machine = find_machine(layout.root(node))
        if machine is not None:
            stop([machine.init_pid or machine.pid, machine.pid], signal.SIGKILL)
        kill_cgroup(cgroup_of(layout, node))


def cgroup_of(layout: Layout, node: Node) -> Path:
    """Return the cgroup v2 folder that holds all of the node's processes.

    Raises: LabError where no cgroup v2 is mounted.
    """
    mounted = cgroup_mounts(MOUNTS.read_text(), "cgroup2")
    if not mounted:
        raise LabError("no cgroup v2 hierarchy is mounted")
    return mounted[0] / layout.bridge / node.name


def lab_cgroups(layout: Layout) -> list[Path]:
    """Return this lab's folder in every hierarchy: nspawn makes one in the v1 hierarchy of a hybrid machine too."""
    return [mounted / layout.bridge for mounted in cgroup_mounts(MOUNTS.read_text(), "cgroup", "cgroup2")]


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text("0")
