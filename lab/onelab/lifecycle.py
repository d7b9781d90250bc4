"""The life of the whole lab: up, down, and what survives between them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from onelab import bridge, keys, node, record
from onelab.addressing import address
from onelab.cache import Cache, locked, remove
from onelab.commands import run
from onelab.configure import build_wheel, configure, fingerprint, missing_tools
from onelab.errors import CommandFailed, HostsNotReady, NotBuilt
from onelab.images import build_images
from onelab.inventory import render, ssh_argv
from onelab.layers import Layers, build_layers
from onelab.layout import NODES, Layout, Node
from onelab.mounts import unmount_below
from onelab.prerequisites import require
from onelab.processes import POLL_S, find_machine, kill_cgroup
from onelab.progress import Progress
from onelab.record import Record
from onelab.trainingdata import make_training_data

READY_TIMEOUT_S = 60.0
VENV = "opt/one/venv"
LOCK = "lock"


def up(layout: Layout, cache: Cache, progress: Progress, *, configured: bool = True) -> Record:
    """Build what is missing, boot all nodes, configure them where that is not done yet.

    Raises: LabError and its kinds.
    """
    require(cache.root, missing_tools(layout) if configured else ())
    with alone(layout, progress), ThreadPoolExecutor(max_workers=1) as pool:
        images = pool.submit(build_images, cache, layout.checkout, progress) if configured else None
        layers = build_layers(cache, layout.checkout, progress)
        made = prepare(layout, layers)
        with progress.step(f"booting {len(NODES)} hosts on {made.subnet}"):
            for each in NODES:
                node.boot(layout, each, layers.lowers())
            wait_for_ssh(layout, made)
        if images is not None:
            make_training_data(layout)
            apply(layout, progress, made, images.result(), only_if_changed=True)
    return made


def alone(layout: Layout, progress: Progress) -> AbstractContextManager[None]:
    """Let one `lab/lab` at a time change this checkout's lab."""
    return locked(layout.state / LOCK, lambda: progress.say("waiting for another lab/lab of this checkout to end"))


def prepare(layout: Layout, layers: Layers) -> Record:
    """Make keys, bridge, node files and inventory for these layers; nodes over another base are made anew."""
    previous = _previous(layout)
    subnet = bridge.free_subnet(layout.lab_id, layout.bridge, previous.subnet if previous else None)
    made = Record(subnet, layers)
    if made != previous:
        node.shut_down(layout)
        unmount_below(layout.state)
    if previous is not None and previous.layers != layers:
        _fit_uppers(layout, previous.layers, layers)
    record.save(layout, made)
    for share in layout.shares.values():
        share.mkdir(parents=True, exist_ok=True)
    keys.make_ca(layout)
    login_key = keys.make_login_key(layout)
    for each in NODES:
        if find_machine(layout.root(each)) is None:
            # An upper folder may only be written to while it is not mounted.
            unmount_below(layout.root(each))
            node.write_files(layout, each, subnet, login_key)
            keys.make_host_key(layout, each)
    keys.write_known_hosts(layout, subnet)
    layout.inventory.write_text(render(layout, subnet))
    bridge.create(layout.bridge, subnet)
    return made


def apply(
    layout: Layout,
    progress: Progress,
    made: Record,
    images: Path,
    *,
    only_if_changed: bool = False,
    more: Sequence[str] = (),
) -> None:
    """Run Ansible on the booted nodes; with `only_if_changed`, not when the last run was from the very same input.

    Raises: CommandFailed, LabError.
    """
    with progress.step("building the project's wheel"):
        wheel = build_wheel(layout)
    current = fingerprint(layout, wheel, images, made.layers.to_dict().values())
    if only_if_changed and layout.applied.exists() and layout.applied.read_text() == current:
        progress.say("the hosts are configured already (`lab/lab apply` runs Ansible all the same)")
        return
    layout.applied.unlink(missing_ok=True)
    with progress.step("configuring the hosts (Ansible)"):
        configure(layout, wheel, images, more)
    if not more:
        layout.applied.write_text(current)


def down(layout: Layout, progress: Progress, *, purge: bool = False) -> None:
    """Leave no process, mount, cgroup or bridge of this checkout's lab, whatever state it is in."""
    with alone(layout, progress):
        with progress.step("shutting the hosts down"):
            node.shut_down(layout)
            for each in NODES:
                node.clear_remains(layout, each)
            for group in node.lab_cgroups(layout):
                kill_cgroup(group)
            unmount_below(layout.state)
            bridge.remove_link(layout.bridge)
        if purge:
            for path in layout.state.iterdir():
                if path.name != LOCK:
                    remove(path)
            progress.say("the hosts' disks, keys, secrets and shared folders are deleted; the cache is kept")


def boot_one(layout: Layout, chosen: Node) -> None:
    """Boot a node that is off and wait until it answers.

    Raises: NotBuilt, HostsNotReady.
    """
    made = record.load(layout)
    if not bridge.exists(layout.bridge):
        raise NotBuilt
    node.boot(layout, chosen, made.layers.lowers())
    wait_for_ssh(layout, made, [chosen])


def wait_for_ssh(layout: Layout, made: Record, nodes: Sequence[Node] = NODES) -> None:
    """Return when every node has let root in.

    Raises: HostsNotReady, naming those that did not within READY_TIMEOUT_S.
    """
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        answers = list(pool.map(lambda each: _answers(layout, made, each), nodes))
    silent = [each.name for each, answered in zip(nodes, answers, strict=True) if not answered]
    if silent:
        raise HostsNotReady(silent, READY_TIMEOUT_S)


def _answers(layout: Layout, made: Record, each: Node) -> bool:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    argv = ssh_argv(layout, str(address(made.subnet, each)), ["true"])
    while time.monotonic() < deadline_s and find_machine(layout.root(each)) is not None:
        try:
            run(argv, timeout_s=10)
            return True
        except CommandFailed:
            time.sleep(POLL_S)
    return False


def _previous(layout: Layout) -> Record | None:
    try:
        return record.load(layout)
    except NotBuilt:
        return None


def _fit_uppers(layout: Layout, old: Layers, new: Layers) -> None:
    """Drop what nodes wrote over folders that are no longer the same."""
    layout.applied.unlink(missing_ok=True)
    for each in NODES:
        remove(layout.node_dir(each) if old.base != new.base else layout.upper(each) / VENV)
