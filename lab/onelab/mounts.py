"""What is mounted, read from the kernel's own table, so that a crash cannot make it wrong."""

from __future__ import annotations

import re
from pathlib import Path

from onelab.commands import run
from onelab.errors import CommandFailed

UMOUNT_TIMEOUT_S = 30
MOUNT_TIMEOUT_S = 30


def mount_points(mountinfo: str) -> list[Path]:
    """Return all mount points, from /proc/self/mountinfo (proc_pid_mountinfo(5), field 5, octal escapes).

    A line of it: `36 35 98:0 / /mnt/with\\040space rw - ext4 /dev/sda rw`
    """
    return [
        Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split()[4]))
        for line in mountinfo.splitlines()
        if line
    ]


def mounts_below(folder: Path) -> list[Path]:
    """Return the mount points at or below `folder`, deepest first."""
    found = mount_points(Path("/proc/self/mountinfo").read_text())
    below = [point for point in found if point == folder or folder in point.parents]
    return sorted(below, key=lambda point: len(point.parts), reverse=True)


def overlay_options(lowers: list[Path], upper: Path, work: Path) -> str:
    r"""Return the option string of an overlay mount; the first of `lowers` lies on top.

    index, metacopy and redirect_dir are off, so that an upper folder may be reused over changed lower ones.
    Source: https://docs.kernel.org/filesystems/overlayfs.html (Changes to underlying filesystems).
    """
    lower = ":".join(_escaped(path, ":") for path in lowers)
    paths = f"lowerdir={lower},upperdir={_escaped(upper, '')},workdir={_escaped(work, '')}"
    return f"{paths},index=off,metacopy=off,redirect_dir=off,xino=off"


def mount_overlay(lowers: list[Path], upper: Path, work: Path, target: Path) -> None:
    """Mount an overlay on `target`; nothing happens where one is mounted already."""
    if target in mounts_below(target):
        return
    for folder in (upper, work, target):
        folder.mkdir(parents=True, exist_ok=True)
    options = overlay_options(lowers, upper, work)
    run(["mount", "-t", "overlay", "overlay", "-o", options, str(target)], timeout_s=MOUNT_TIMEOUT_S)


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below `folder`; what is still busy is detached, and goes with its last user."""
    for point in mounts_below(folder):
        try:
            run(["umount", str(point)], timeout_s=UMOUNT_TIMEOUT_S)
        except CommandFailed:
            run(["umount", "--lazy", str(point)], timeout_s=UMOUNT_TIMEOUT_S)


def _escaped(path: Path, separators: str) -> str:
    return re.sub(rf"([\\,{separators}])", r"\\\1", str(path))
