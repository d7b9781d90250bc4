"""What was seen while something was broken: portal and Slurm side by side, sampled by a thread, kept for docs/faults.md."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from lab.commandline import One
from lab.hosts import ROOT, STATE, portal_url
from lab.people import token
from tests.lab.road_harness import Run

FOLDER = STATE / "faults"
EVERY_S = 1.0
AGREE_WITHIN_S = 300.0
DOCTOR_TIMEOUT_S = 180.0
NO_ANSWER, ENOUGH = "no answer", "."
SQUEUE = "timeout 5 squeue --noheader --states=all --sort=i --format='%j %i %T' 2>/dev/null"
LOOK = f"while :; do {SQUEUE} || echo '{NO_ANSWER}'; echo {ENOUGH}; sleep {EVERY_S}; done"


@dataclass
class Story:
    """One test's timeline; `watch` adds a workload to it, `note` says what the test does."""

    name: str
    title: str
    lines: list[dict[str, Any]] = field(default_factory=list)
    watched: dict[str, str] = field(default_factory=dict)
    _last: dict[str, tuple[str, str]] = field(default_factory=dict)
    _jobs: dict[str, list[str]] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self, label: str, run: Run) -> Run:
        """Follow this workload under a short name; the run again."""
        self.watched[label] = run.id
        return run

    def note(self, text: str) -> None:
        """What happens at this moment."""
        self.lines.append({"t": round(time.monotonic() - self._begun, 1), "note": text})

    def follow(self) -> None:
        """Sample until `end`; runs in a thread of its own. One ssh for the whole story: a process a look costs more."""
        headers = {"Authorization": f"Bearer {token('admin')}"}
        argv = [str(ROOT / "lab" / "lab"), "exec", "ctl", "--", "bash", "-c", LOOK]
        with (
            httpx2.Client(base_url=f"{portal_url()}/api/v1", headers=headers, timeout=5.0) as client,
            subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as looks,
        ):
            assert looks.stdout is not None
            listed: list[str] = []
            while not self._over.is_set() and (line := looks.stdout.readline()):
                if line.strip() != ENOUGH:
                    listed.append(line.strip())
                else:
                    self._sample(client, _by_name(listed))
                    listed = []
            looks.terminate()

    def end(self) -> None:
        """Stop sampling and keep what was seen."""
        self._over.set()
        FOLDER.mkdir(exist_ok=True)
        document = {"name": self.name, "title": self.title, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
        (FOLDER / f"{self.name}.json").write_text(json.dumps({**document, "lines": self.lines}, indent=1))

    def _sample(self, client: httpx2.Client, slurm: dict[str, str] | None) -> None:
        portal = {label: self._portal(client, run_id) for label, run_id in dict(self.watched).items()}
        at = round(time.monotonic() - self._begun, 1)
        for label, says in portal.items():
            seen = NO_ANSWER if slurm is None else ", ".join(slurm.get(name, "") for name in self._jobs.get(label, ()))
            if self._last.get(label) != (says, seen):
                self._last[label] = (says, seen)
                self.lines.append({"t": at, "who": label, "portal": says, "slurm": seen or "-"})

    def _portal(self, client: httpx2.Client, run_id: str) -> str:
        try:
            answer = client.get(f"/workloads/{run_id}")
            document = answer.json() if answer.is_success else None
        except httpx2.TransportError:
            document = None
        if document is None:
            return NO_ANSWER
        label = next(name for name, known in self.watched.items() if known == run_id)
        self._jobs[label] = [job["name"] for job in document["slurmJobs"]]
        unknown = ", unknown since" if document["unknownSince"] else ""
        return " · ".join(filter(None, (document["state"], document["phase"]))) + unknown


def _by_name(lines: list[str]) -> dict[str, str] | None:
    """Job name -> what squeue says of its components ("6+0 RUNNING, 6+1 RUNNING"); None when Slurm did not answer."""
    found: dict[str, str] = {}
    for line in lines:
        if line == NO_ANSWER:
            return None
        name, _, rest = line.partition(" ")
        found[name] = f"{found[name]}, {rest}" if name in found else rest
    return found


def agree_in_the_end(admin: One, story: Story) -> None:
    """Wait until `one doctor --reconcile` finds nothing; what it still finds after a while fails the test."""
    deadline = time.monotonic() + AGREE_WITHIN_S
    while (ran := admin.run("doctor", "--reconcile", timeout_s=DOCTOR_TIMEOUT_S)).code != 0:
        assert time.monotonic() < deadline, ran.stdout + ran.stderr
        time.sleep(EVERY_S)
    story.note(f"one doctor --reconcile: {ran.stdout.splitlines()[-1]}")


def recorded() -> list[dict[str, Any]]:
    """Every kept story, by name."""
    return [json.loads(path.read_text()) for path in sorted(Path(FOLDER).glob("*.json"))]
