"""A whole portal without a network: real rows in SQLite, the fake Slurm, a store in memory, and a runner that the test plays."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from containers.convert_client import Converted, Progress
from containers.errors import ContainersError, ConversionFailed
from containers.image import ImageConfig, ResolvedImage
from containers.reference import Reference
from portal.daemon import imagechecks, images, resolving, saving
from portal.daemon import operators as operators_loop
from portal.daemon.context import Context
from portal.daemon.main import act, look, once
from portal.daemon.rounds import NOBODY_CAN_GO_ON
from portal.db.engine import Sessions, transaction
from portal.db.models import Attempt, Audit, Event, Model, User, Workload
from portal.services import accounts, analyses, approvals, operators, queue, tests, workloads
from portal.services.accounts import Role
from portal.services.audit import Actor
from portal.services.planning import plan_of
from portal.services.workloads import SubmitRequest
from slurm.fake import FakeSlurm
from slurm.fake.cluster import FakeCluster
from tests.store.memory import MemoryStore

ADMIN_TOOL = Actor(name="portal-admin")


@dataclass
class Registry:
    """Every image exists, unless its trouble is set."""

    trouble: dict[str, ContainersError] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    async def resolve(self, reference: Reference) -> ResolvedImage:
        """The digest is made of the reference, so that it is the same next time."""
        text = str(reference)
        if text in self.trouble:
            raise self.trouble[text]
        digest = self.digests.get(text, "sha256:" + text.encode().hex().ljust(64, "0")[-64:])
        return ResolvedImage(reference.pinned(digest), ImageConfig(entrypoint=("/main",)), "amd64", 1000)


@dataclass
class Conversions:
    """Makes an empty file for a SIF, unless its trouble is set."""

    folder: Path
    trouble: dict[str, ConversionFailed] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    async def convert(
        self, reference: str, digest: str, in_use: Collection[str]
    ) -> AsyncGenerator[Progress | Converted]:
        """One line of progress, then the SIF."""
        yield Progress("unpacking")
        if reference in self.trouble:
            raise self.trouble[reference]
        self.made.append(digest)
        path = self.folder / f"{digest.replace(':', '-')}.sif"
        path.write_bytes(b"")
        yield Converted(path, 0, ImageConfig(entrypoint=("/main",)))

    async def remove(self, digest: str) -> int:
        """Forget it."""
        (self.folder / f"{digest.replace(':', '-')}.sif").unlink(missing_ok=True)
        return 0


@dataclass
class World:
    """What a test turns and looks at."""

    context: Context
    slurm: FakeSlurm
    store: MemoryStore
    registry: Registry
    conversions: Conversions
    actors: dict[str, Actor]

    @property
    def maker(self) -> Sessions:
        """Sessions of the world's database."""
        return self.context.sessions

    @property
    def cluster(self) -> FakeCluster:
        """The simulated cluster."""
        return self.slurm.cluster

    async def round(self, seconds: float = 5.0, *, only: Collection[str] = ()) -> None:
        """One round of every loop (or only of those named), the clock between handing over and looking; an outage ends
        a loop's round."""
        loops: dict[str, Callable[[Context], Awaitable[None]]] = {
            "resolving": resolving.resolve_submitted,
            "imagechecks": imagechecks.check_asked,
            "images": images.convert_wanted,
            "operators": operators_loop.serve,
            "control": self._control(seconds),
            "saving": saving.save_ended,
        }
        for name, loop in loops.items():
            if not only or name in only:
                await once(name, self.context, loop)

    def _control(self, seconds: float) -> Callable[[Context], Awaitable[None]]:
        async def control(context: Context) -> None:
            with suppress(*NOBODY_CAN_GO_ON):
                await act(context)
            self.pass_time(seconds)
            await look(context)

        return control

    def pass_time(self, seconds: float) -> None:
        """Turn the cluster's clock."""
        self.cluster.advance(seconds)

    async def submit(self, spec: dict[str, Any], who: str = "kim", **wishes: Any) -> str:
        """Hand a spec in; the workload's id."""
        async with transaction(self.maker) as session:
            request = SubmitRequest(spec=spec, **wishes)
            workload = await workloads.submit(session, self.actors[who], self.context.settings, request)
            return workload.id

    async def upload(self, data: bytes, who: str = "kim", filename: str = "reward.py", name: str = "") -> str:
        """Keep an Operator; how requests name it."""
        async with transaction(self.maker) as session:
            version = await operators.upload(
                session, self.actors[who], self.context.settings, filename=filename, data=data, name=name
            )
            return operators.reference(version)

    async def analyse(self, workload_id: str, operator: str, who: str = "kim") -> str:
        """Run an Operator on a finished workload; the id of the analysis."""
        async with transaction(self.maker) as session:
            made = await analyses.start(session, self.actors[who], self.context.settings, workload_id, operator)
            return made.run_id

    async def start_test(self, workload_id: str, who: str = "kim", **wishes: Any) -> str:
        """Start a minimal run test; the id of its own workload."""
        async with transaction(self.maker) as session:
            wanted = tests.TestRequest(**wishes)
            test = await tests.start(session, self.actors[who], self.context.settings, workload_id, wanted)
            return test.run_id

    async def approve(self, workload_id: str, who: str = "admin", **given: Any) -> None:
        """Let it into the queue."""
        async with transaction(self.maker) as session:
            await approvals.approve(session, self.actors[who], self.context.settings, workload_id, **given)

    async def cancel(self, workload_id: str, who: str = "kim", reason: str = "") -> None:
        """Ask for its end."""
        async with transaction(self.maker) as session:
            await workloads.cancel(session, self.actors[who], workload_id, reason)

    async def move(self, workload_id: str, **place: Any) -> None:
        """Give it another place in its level."""
        async with transaction(self.maker) as session:
            await queue.move(session, self.actors["admin"], self.context.settings, workload_id, **place)

    async def workload(self, workload_id: str) -> Workload:
        """The row as it is now."""
        async with self.maker() as session:
            return await session.get_one(Workload, workload_id)

    async def rows(self, kind: type[Any]) -> list[Any]:
        """All rows of a table, by their key."""
        async with self.maker() as session:
            return list((await session.scalars(select(kind).order_by(*kind.__table__.primary_key))).unique())

    async def events(self, workload_id: str) -> list[str]:
        """Kinds of the workload's events, in order."""
        return [event.kind for event in await self.rows(Event) if event.workload_id == workload_id]

    async def actions(self, object_id: str) -> list[str]:
        """Audited actions on an object, in order."""
        return [row.action for row in await self.rows(Audit) if row.object_id == object_id]

    async def models(self) -> list[Model]:
        """All models."""
        return await self.rows(Model)

    async def play(
        self,
        workload_id: str,
        *,
        rewards: list[float] | None = None,
        fail: str = "",
        model: bool = True,
        out: dict[str, bytes] | None = None,
    ) -> None:
        """Be the runner of every job that runs: write its events and outputs, then end the batch script.

        `out` are files that an analysis leaves in /one/out.
        """
        workload = await self.workload(workload_id)
        attempt = workload.attempts[-1]
        for job in attempt.jobs:
            if job.leader_id is not None and self.cluster.jobs[job.leader_id].state == "RUNNING":
                self._write_events(workload, attempt, job.job_index, rewards, fail)
                for name, data in (out or {}).items():
                    path = Path(attempt.run_dir, "steps", analyses.STEP, "out", name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                if model and not fail:
                    folder = Path(attempt.run_dir, "model")
                    folder.mkdir(exist_ok=True)
                    (folder / "policy.safetensors").write_bytes(b"weights")
                self.cluster.end(job.leader_id, 1 if fail else 0)

    def _write_events(
        self, workload: Workload, attempt: Attempt, index: int, rewards: list[float] | None, fail: str
    ) -> None:
        plan = plan_of(attempt.plan)
        run_dir = Path(attempt.run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        iterations = workload.options.get("iterations", 1)
        lines: list[dict[str, Any]] = [
            {"event": "runner_started", "het_size": len(plan.jobs[index].groups), "host": "gpu1"}
        ]
        steps = [step for group in plan.jobs[index].groups for step in group.steps]
        for iteration in range(1, iterations + 1):
            for step in steps:
                key = {"step": step, "try": 1, "iteration": iteration}
                result = "failed" if step == fail else "completed"
                lines.append({"event": "step_started", **key, "group": 0, "hosts": ["gpu1"]})
                ended = {
                    "exit_code": 9 if step == fail else 0,
                    "signal": None,
                    "reason": "exit" if step == fail else "",
                }
                lines.append({"event": "step_ended", **key, "result": result, **ended})
            lines.append({"event": "iteration_ended", "iteration": iteration, "ok": not fail, "seconds": 0.3})
        first = {
            "step": fail,
            "try": 1,
            "t": 1.0,
            "exit_code": 9,
            "signal": None,
            "reason": "exit",
            "last_lines": ["boom"],
        }
        lines.append({"event": "runner_ended", "ok": not fail, "first_failure": first if fail else None})
        text = "".join(json.dumps({"t": float(number), **line}) + "\n" for number, line in enumerate(lines))
        (run_dir / f"events.{index}.jsonl").write_text(text)
        for step in steps:
            folder = run_dir / "steps" / step / "t1"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "stdout.log").write_text(f"{step} says 안녕\n")
            if rewards is not None and step == steps[-1]:
                points = [{"episode": number, "reward": reward} for number, reward in enumerate(rewards, 1)]
                path = folder.parent / "metrics.jsonl"
                path.write_text("".join(json.dumps(point) + "\n" for point in points))


async def people(maker: Sessions) -> dict[str, Actor]:
    """kim and park research, admin and boss administrate."""
    actors = {}
    for name, role in {
        "admin": Role.ADMIN,
        "boss": Role.ADMIN,
        "kim": Role.RESEARCHER,
        "park": Role.RESEARCHER,
    }.items():
        mapped = name if role is Role.RESEARCHER else None
        async with transaction(maker) as session:
            user: User = await accounts.create_user(
                session,
                ADMIN_TOOL,
                username=name,
                display_name=name,
                role=role,
                unix_user=mapped,
                slurm_account="lab" if mapped else None,
            )
            actors[name] = Actor(name=name, user_id=user.id, role=role.value)
    return actors


def own_uid(_name: str) -> int:
    """Every job's user is the one who runs the tests."""
    return os.getuid()
