"""Everything that can go wrong in the lab tool.

LabError
├── MissingPrerequisites   the machine lacks something; each line names its cure
├── CommandFailed          an outside command ended badly, or in no time
├── UnknownNode            a node name that the lab does not have
├── NotBuilt               a verb that needs an earlier `lab/lab up`
├── NoFreeSubnet           every candidate /24 is in use on this machine
├── StillMounted           a folder is not deleted because something is mounted in it
└── HostsNotReady          booted hosts did not answer in time
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class LabError(Exception):
    """Base of all errors that `lab/lab` reports in one line instead of a traceback."""


class MissingPrerequisites(LabError):
    """The machine lacks things that the lab needs."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("this machine cannot run the lab yet:\n" + "\n".join(f"  - {line}" for line in problems))


class CommandFailed(LabError):
    """An outside command ended with a non-zero code (`code` is None when it ran out of time)."""

    def __init__(self, argv: Sequence[str], code: int | None, output: str, log: Path | None = None) -> None:
        self.argv = tuple(argv)
        self.code = code
        self.output = output
        self.log = log
        how = "ran out of time" if code is None else f"ended with code {code}"
        tail = "\n".join(output.strip().splitlines()[-15:])
        where = f"\n(whole log: {log})" if log else ""
        super().__init__(f"{argv[0]} {how}: {' '.join(argv)}\n{tail}{where}")


class UnknownNode(LabError):
    """A node name that the lab does not have."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        super().__init__(f"no node named {name!r}; the lab has {', '.join(known)}")


class NotBuilt(LabError):
    """A verb that needs what only `lab/lab up` makes."""

    def __init__(self) -> None:
        super().__init__("this checkout has no lab yet: run `lab/lab up` first")


class NoFreeSubnet(LabError):
    """Every candidate /24 overlaps an address of this machine."""

    def __init__(self, tried: int) -> None:
        super().__init__(f"none of {tried} candidate /24 networks is free on this machine: see `ip addr`")


class StillMounted(LabError):
    """A folder that was to be deleted has a mount in it, whose files would go too."""

    def __init__(self, folder: Path, mount: Path) -> None:
        super().__init__(f"not deleting {folder}: {mount} is mounted in it (umount it, or find who uses it)")


class HostsNotReady(LabError):
    """Booted hosts did not answer over ssh in time."""

    def __init__(self, names: Sequence[str], timeout_s: float) -> None:
        self.names = tuple(names)
        super().__init__(
            f"no answer over ssh within {timeout_s:.0f} s from: {', '.join(names)} (see `lab/lab logs {names[0]}`)"
        )
