"""Small Apps made of the demo's images, submitted with the real `one` command, and what became of them."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import accounting
from lab.accounting import Row
from lab.commandline import One, Ran
from lab.hosts import ROOT, SHARED, LabTrouble, on, until
from tests.lab.minio import keys

EXAMPLES = ROOT / "examples"
TASK = "TASK-001"
PYTHON_IMAGE = {"registry": "registry.avatar.io/param-opt", "tag": "1.5"}
"""Any of the demo's images: they all have Python."""
ENDED = ("completed", "failed", "cancelled", "rejected")
LIMIT_MIN = 10
PATIENCE_S = 180.0
SOON_S = 30.0


def new_id() -> str:
    """An App id that no other test has."""
    return f"APP-T{secrets.token_hex(4).upper()}"


def component(node: str, code: str, *, memory: str = "512MB", **more: Any) -> dict[str, Any]:
    """A component that runs Python code; keyword arguments are resources unless the component has such a field."""
    fields = ("service", "ready", "retries", "image")
    resources = {"memory": memory, **{name: value for name, value in more.items() if name not in fields}}
    return {
        "component_id": node,
        "name": node.lower(),
        "image": PYTHON_IMAGE,
        "resources": resources,
        "command": ["python3", "-c", code],
        **{name: value for name, value in more.items() if name in fields},
    }


def app(
    *components: dict[str, Any], edges: Sequence[tuple[str, str]] = (), when: str = "finished", **more: Any
) -> dict[str, Any]:
    """An App of one Task."""
    workflow = [{"from": before, "to": after, "when": when} for before, after in edges]
    task = {"task_id": TASK, "name": "t", "components": list(components), "workflow": workflow}
    return {"app_id": new_id(), "name": "lab test", "version": "1.0.0", "tasks": [task], **more}


def example(name: str) -> dict[str, Any]:
    """An example App under an id of its own."""
    spec: dict[str, Any] = json.loads((EXAMPLES / name / "app.json").read_text())
    return {**spec, "app_id": new_id()}


@dataclass(frozen=True)
class Run:
    """A submitted workload."""

    one: One
    id: str

    def now(self) -> dict[str, Any]:
        """As the API has it now."""
        return self.one.show(self.id)

    def reaches(self, *states: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The workload in one of these states; an end in another one fails."""

        def look() -> dict[str, Any] | None:
            document = self.now()
            found = document["state"] in states
            assert found or document["state"] not in ENDED, (document["state"], document["failure"])
            return document if found else None

        return until(f"{self.id} is {' or '.join(states)}", look, timeout_s=timeout_s)

    def leaders(self) -> list[int]:
        """Its Slurm jobs' leaders, once every job has one."""

        def look() -> list[int] | None:
            jobs = self.now()["slurmJobs"]
            return [job["jobId"] for job in jobs] if jobs and all(job["jobId"] for job in jobs) else None

        return until(f"{self.id} is in Slurm", look, timeout_s=PATIENCE_S)

    def is_pending(self) -> None:
        """Wait until the portal has seen it waiting in Slurm."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.update(self.now())
            return bool(seen["phase"] == "slurm_pending")

        try:
            until(f"{self.id} waits in Slurm", look, timeout_s=PATIENCE_S)
        except LabTrouble as trouble:
            raise LabTrouble(f"{trouble}: {seen}") from None

    def component_ids(self) -> list[int]:
        """The numeric ids of every component of its jobs."""
        self.leaders()
        return [job for found in self.now()["slurmJobs"] for job in found["componentIds"]]

    def logs(self, *words: str) -> str:
        """What its steps wrote."""
        return self.one.text("logs", self.id, *words)

    def says(self, text: str) -> None:
        """Wait until its logs have this."""
        until(f"{self.id} says {text!r}", lambda: text in self.logs(), timeout_s=PATIENCE_S)

    def run_dir(self, attempt: int = 1) -> Path:
        """Its run directory on this machine."""
        return SHARED / "runs" / self.one.username / self.id / f"a{attempt}"


def submitted(one: One, spec: dict[str, Any], folder: Path, *words: str) -> Run:
    """Submit an App's file."""
    limit = () if "--time-limit" in words else ("--time-limit", str(LIMIT_MIN))
    return Run(one, one.json("submit", written(spec, folder), *limit, *words)["id"])


def refused(one: One, spec: dict[str, Any] | str, folder: Path, *words: str) -> Ran:
    """Submit what must not become a workload."""
    ran = one.run("submit", written(spec, folder), *words)
    assert ran.code != 0, ran
    return ran


def written(spec: dict[str, Any] | str, folder: Path) -> str:
    """The App as a file."""
    path = folder / f"{secrets.token_hex(4)}.json"
    path.write_text(spec if isinstance(spec, str) else json.dumps(spec, ensure_ascii=False))
    return str(path)


@dataclass(frozen=True)
class Background:
    """A `one` command that goes on beside the test."""

    process: subprocess.Popen[str]

    def ended(self) -> Ran:
        """Its result."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Ran(self.process.returncode, out, err)


def agree(run: Run, *, state: str) -> list[Row]:
    """Portal, Slurm's accounting and MinIO tell the same story of an ended workload, and the queue is empty of it.

    Answers the rows of accounting.
    """
    document = run.now()
    assert document["state"] == state, document
    jobs = [job for job in document["slurmJobs"] if job["jobId"]]
    rows = accounting.settled_rows([job["jobId"] for job in jobs]) if jobs else []
    for job in jobs:
        leader = leader_row(rows, job["jobId"])
        assert (leader.user, leader.word) == (run.one.username, job["state"]), (leader, job)
    assert on("ctl", "squeue", "--noheader", f"--name={','.join(job['name'] for job in jobs)}") == "" if jobs else True
    began = any(job["startedAt"] for job in jobs)
    saved = until_saved(run) if began else keys("logs", f"{run.id}/")
    assert bool(saved) == began, "logs are kept of everything that ran"
    models = keys("models", f"{document['appId']}/")
    assert ("v1/manifest.json" in models) == (state == "completed" and bool(model_files(run))), models
    return rows


def until_saved(run: Run) -> list[str]:
    """The keys of its logs, once they are complete: the runner's events go last."""

    def look() -> list[str] | None:
        found = keys("logs", f"{run.id}/a1/")
        return found if any(key.startswith("events.") for key in found) else None

    return until(f"the logs of {run.id} are in MinIO", look, timeout_s=SOON_S)


def model_files(run: Run) -> list[str]:
    """What its steps left in /one/model."""
    folder = run.run_dir() / "model"
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def leader_row(rows: Sequence[Row], leader: int) -> Row:
    """The row of a job's first component: `12`, or `12+0` of a hetjob."""
    (row,) = [row for row in rows if row.job in (str(leader), f"{leader}+0")]
    return row


def step_rows(rows: Sequence[Row]) -> dict[str, Row]:
    """Rows of the steps by their names."""
    return {row.name: row for row in rows if row.is_step}


@contextmanager
def in_background(one: One, *words: str) -> Iterator[Background]:
    """A `one` command that the test goes on beside; one that still runs at the end is killed."""
    process = one.started(*words)
    try:
        yield Background(process)
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate(timeout=SOON_S)
