"""The agent's own memory of what it submitted: an append-only file, because it changes only those jobs.

One JSON object a line, written and synced before the agent goes on; lines of several threads share a sync:

    {"t": 1800000000, "intent": "one-...", "owner": "kim", "account": "lab", "components": 2}    before the submit call
    {"t": 1800000000, "name": "one-...", "ids": [12, 13]}                                        Slurm has it
    {"t": 1800000000, "dropped": "one-..."}                                                      Slurm refused it
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slurm.errors import NotPermitted, ProtocolError, SlurmUnreachable


@dataclass(frozen=True)
class Entry:
    """One submission. Without `ids` it is not known whether Slurm has it, unless it was `refused`."""

    name: str
    owner: str
    account: str
    components: int
    ids: tuple[int, ...] = ()
    refused: bool = False
    intended_at: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a submit call was made whose outcome is not known."""
        return not self.ids and not self.refused

    @property
    def leader_id(self) -> int:
        """The first component's id."""
        return self.ids[0]


class Ledger:
    """The entries by name and by component id; safe for several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._written = self._synced = 0
        self._by_name: dict[str, Entry] = {}
        self._by_id: dict[int, Entry] = {}
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._replay(path)
        except ProtocolError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def intend(self, entry: Entry) -> None:
        """Note that a submit call is about to be made.

        Raises SlurmUnreachable for a name that was already used: its job is there or may be, so look for it first.
        """
        with self._lock:
            known = self._by_name.get(entry.name)
            if known is not None and known.ids:
                raise SlurmUnreachable(f"{entry.name} was already submitted as job {known.leader_id}; find it first")
            if known is not None and known.is_open:
                raise SlurmUnreachable(f"{entry.name}: an earlier submit had no answer; find it first")
            self._write(intent=entry.name, owner=entry.owner, account=entry.account, components=entry.components)
        self._sync()

    def record(self, name: str, ids: tuple[int, ...]) -> None:
        """Slurm has it under these ids."""
        with self._lock:
            self._write(name=name, ids=list(ids))
        self._sync()

    def drop(self, name: str) -> None:
        """Slurm refused it and nothing of it is left."""
        with self._lock:
            self._write(dropped=name)
        self._sync()

    def named(self, name: str) -> Entry | None:
        """The submission of that name."""
        return self._by_name.get(name)

    def entry(self, job_id: int) -> Entry:
        """The submission that this component belongs to. Raises NotPermitted for a job that is not ours."""
        entry = self._by_id.get(job_id)
        if entry is None:
            raise NotPermitted(f"job {job_id} was not submitted by this agent")
        return entry

    def leader_of(self, job_id: int) -> int | None:
        """The leader's id when this component is ours, else None."""
        entry = self._by_id.get(job_id)
        return entry.leader_id if entry else None

    def _write(self, **line: Any) -> None:
        line = {"t": int(time.time())} | line
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._written += 1
        self._apply(line)

    def _sync(self) -> None:
        """Return once the line just written is on the disk: who waits for another's sync is often served by it."""
        mine = self._written
        with self._syncing:
            if self._synced < mine:
                written = self._written
                os.fsync(self._file.fileno())
                self._synced = written

    def _apply(self, line: dict[str, Any]) -> None:
        if "intent" in line:
            name = line["intent"]
            self._by_name[name] = Entry(name, line["owner"], line["account"], line["components"], intended_at=line["t"])
        elif "ids" in line:
            entry = replace(self._by_name[line["name"]], ids=tuple(line["ids"]), refused=False)
            self._by_name[entry.name] = entry
            self._by_id.update(dict.fromkeys(entry.ids, entry))
        else:
            self._by_name[line["dropped"]] = replace(self._by_name[line["dropped"]], refused=True)

    def _replay(self, path: Path) -> None:
        """Read the file; a torn last line (the machine died while it was written) is cut off, it never took effect."""
        complete, newline, torn = self._file.read().rpartition(b"\n")
        for number, line in enumerate(complete.split(b"\n") if complete else (), start=1):
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ProtocolError(f"{path}, line {number}: not a ledger line") from error
        if torn:
            self._file.truncate(len(complete) + len(newline))
