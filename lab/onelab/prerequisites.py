"""What this machine must have to run the lab, each with the cure when it is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from onelab.errors import MissingPrerequisites

COMMANDS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
    "umoci": "umoci",
    "skopeo": "skopeo",  # Ansible pushes the demo's images from this machine
    "setpriv": "util-linux",
    "mount": "mount",
    "journalctl": "systemd",
}
"""Command -> the Debian package that has it."""

PACKAGES = tuple(sorted({*COMMANDS.values(), "debian-archive-keyring", "ca-certificates"}))
"""Debian packages to install on a fresh machine."""

DISK_FREE_GIB = 8
MOUNTS = Path("/proc/self/mounts")


def problems(cache: Path) -> list[str]:
    """Return one line for each thing that is missing, with its cure; an empty list means all is well."""
    found: list[str] = []
    if os.geteuid() != 0:
        found.append("the lab mounts file systems and makes a bridge: run it as root (sudo lab/lab ...)")
    missing = sorted({package for command, package in COMMANDS.items() if shutil.which(command) is None})
    if missing:
        found.append(f"commands are missing: apt-get install {' '.join(missing)}")
    if "overlay" not in Path("/proc/filesystems").read_text():
        found.append("the kernel has no overlay file system loaded: modprobe overlay")
    if not Path("/dev/fuse").exists():
        found.append("/dev/fuse is missing (Apptainer mounts images with it): modprobe fuse")
    if not cgroup_mounts(MOUNTS.read_text(), "cgroup2"):
        found.append("no cgroup v2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
    free_gib = shutil.disk_usage(_existing_parent(cache)).free / 2**30
    if free_gib < DISK_FREE_GIB:
        found.append(f"{cache} has {free_gib:.1f} GiB free, the lab needs {DISK_FREE_GIB}: set ONE_LAB_CACHE elsewhere")
    return found


def require(cache: Path, more: Sequence[str] = ()) -> None:
    """Check this machine; `more` are problems that others found.

    Raises: MissingPrerequisites, with all problems at once.
    """
    found = [*problems(cache), *more]
    if found:
        raise MissingPrerequisites(found)


def cgroup_mounts(mounts: str, *kinds: str) -> list[Path]:
    """Return where cgroups of these kinds are mounted, from /proc/self/mounts.

    A line of it: `cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0`
    """
    lines = (line.split() for line in mounts.splitlines())
    return [Path(fields[1]) for fields in lines if len(fields) > 2 and fields[2] in kinds]


def _existing_parent(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
