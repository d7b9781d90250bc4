"""One schedule: a seed decides what happens at every step, then all troubles end and the portal must come to rest.

Schedule(seed, folder, template).run()      # raises Broken with the seed, the findings and the last steps
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from traceback import format_exc, format_exception
from typing import Any
from unittest.mock import patch

import structlog
import time_machine
from sqlalchemy import Select, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError

from portal.daemon import images, noting, resolving, saving
from portal.daemon.context import Context
from portal.daemon.main import control, once
from portal.db.models import Workload
from portal.services.errors import ServiceError
from portal.settings import Database, Images, Policy, Settings, Storage
from portal.settings import Slurm as SlurmSettings
from slurm.fake import FakeSlurm
from tests.daemon.world import own_uid, people
from tests.simulation import invariants
from tests.simulation.database import OneFile, engine, gated_sessions
from tests.simulation.doubles import Trouble, TroubledConversions, TroubledRegistry, TroubledSlurm, TroubledStore
from tests.simulation.gates import Killed, Process, finish, together
from tests.simulation.outside import Outside
from tests.simulation.people import People
from tests.simulation.runner import Runners

LOOPS: dict[str, Callable[[Context], Coroutine[Any, Any, None]]] = {
    "control": control,
    "resolving": resolving.resolve_submitted,
    "images": images.convert_wanted,
    "saving": saving.save_ended,
    "noting": noting.note_ended,
}
STEPS = (60, 150, 300)
MOST_WORKLOADS = 3
SETTLING_ROUNDS = 80
LIVE_STATES = frozenset({"submitted", "awaiting_approval", "queued", "running", "saving"})


class Broken(AssertionError):
    """A schedule that did not end well."""

    def __init__(self, seed: int, findings: list[str], trace: list[str]) -> None:
        told = "\n  ".join(findings)
        last = "\n  ".join(trace[-60:])
        super().__init__(
            f"schedule {seed} is broken:\n  {told}\nlast steps:\n  {last}\n"
            f"replay: .venv/bin/python -m tests.simulation.soak --seed {seed}"
        )


class Schedule:
    """A whole portal, its world, and the seed that moves both."""

    def __init__(self, seed: int, folder: Path, template: Path) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.trace: list[str] = []
        self.errors: list[str] = []
        self.settings = site(folder)
        self.database = folder / "one.db"
        shutil.copyfile(template, self.database)
        for name in ("runs/.out", "images"):
            (folder / name).mkdir(parents=True)
        self.trouble = Trouble(self.rng)
        self.fake = FakeSlurm()
        self.cluster = self.fake.cluster
        self.slurm = TroubledSlurm(self.fake, self.trouble)
        self.store = TroubledStore(self.trouble)
        self.runners = Runners(self.cluster, self.database, self.rng)
        self.outside = Outside(self.fake, self.store, self.trouble, self.rng)
        OneFile.path = self.database
        self.maker = gated_sessions(engine(), self._strike)
        self.context = Context(
            settings=self.settings,
            sessions=self.maker,
            slurm=self.slurm,
            store=self.store,  # type: ignore[arg-type]
            resolve_image=TroubledRegistry(bad=self.trouble).resolve,
            converter=TroubledConversions(folder / "images", bad=self.trouble),
            uid_of=own_uid,
            together=together(self.rng),
        )
        self.processes: list[Process] = []
        self.current: Process | None = None
        self.last: Process | None = None
        self.kill_chance = 0.0
        self.database_chance = 0.0
        self.down_steps = 0

    def run(self) -> None:
        """The schedule, the settling and the checks. Raises Broken."""
        with ExitStack() as stack:
            start = datetime.fromtimestamp(self.cluster.now, UTC)
            self.clock = stack.enter_context(time_machine.travel(start, tick=False))
            stack.enter_context(patch("portal.services.ids.secrets", _Repeatable(self.rng)))
            stack.enter_context(_errors_into(self.errors))
            try:
                self._act()
                self._settle()
            except Broken:
                raise
            except Exception as error:  # of the simulation itself: it too is told with its seed
                told = "".join(format_exception(error, limit=-6))
                raise Broken(self.seed, [told], self.trace) from error
            finally:
                for process in self.processes:
                    process.kill()
                finish(engine().dispose())

    # --- the schedule ----------------------------------------------------------------------------------------------

    def _act(self) -> None:
        actors = finish(people(self.maker))
        self.people = People(self.maker, self.settings, actors, self.rng)
        self._rounds(1)
        self._set_chances()
        if self.rng.random() < 0.5:
            self.outside.bad_line()
        wanted = self.rng.randint(1, MOST_WORKLOADS)
        for number in range(self.rng.choice(STEPS)):
            if wanted and (number == 0 or self.rng.random() < 0.06):
                wanted -= 1
                self._request(*self.people.submit())
            self._one_step()

    def _set_chances(self) -> None:
        self.kill_chance = self.rng.choice([0.0, 0.004, 0.02])
        self.database_chance = self.rng.choice([0.0, 0.0, 0.02])
        self.outside_chance = self.rng.choice([0.0, 0.01, 0.05])
        self.request_chance = self.rng.choice([0.005, 0.03])
        self.switch_chance = self.rng.choice([0.03, 0.1, 0.5])
        self.wait_chance = self.rng.choice([0.02, 0.06])

    def _one_step(self) -> None:
        draw = self.rng.random()
        self.down_steps = max(0, self.down_steps - 1)
        if (draw := draw - self.wait_chance) < 0:
            self._advance(self.rng.choice([1.0, 5.0, 30.0, 120.0, 400.0]))
        elif (draw := draw - self.outside_chance) < 0:
            self.trace.append(f"outside: {self.outside.anything()}")
        elif (draw := draw - self.request_chance) < 0:
            self._some_request()
        elif draw - self.kill_chance * self._danger() < 0:
            self._kill_daemon()
        else:
            self._turn_somebody()

    def _danger(self) -> int:
        """Dying right after an effect is what a crash is about: it happens more often than chance would have it."""
        return 8 if any(process.is_daemon and process.after_effect for process in self.processes) else 1

    def _some_request(self) -> None:
        ids = self._ids()
        again = self.people.repeat() if self.rng.random() < 0.2 else None
        if again is not None:
            self._request(*again)
        elif ids:
            self._request(*self.people.anything(ids))

    def _request(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self.trace.append(f"asked: {name}")
        self.processes.append(Process(name, coroutine, is_daemon=False))

    def _turn_somebody(self) -> None:
        if self.last is not None and self.last in self.processes and self.rng.random() >= self.switch_chance:
            self._turn(self.last)
            return
        running = {process.name for process in self.processes}
        idle = [name for name in LOOPS if name not in running] if not self.down_steps else []
        choice = self.rng.randrange(len(self.processes) + len(idle)) if self.processes or idle else None
        if choice is None:
            return
        if choice < len(self.processes):
            process = self.processes[choice]
        else:
            name = idle[choice - len(self.processes)]
            process = Process(name, once(name, self.context, LOOPS[name]), is_daemon=True)
            self.processes.append(process)
        self.last = process
        self._turn(process)

    def _turn(self, process: Process) -> None:
        """One step; a request's refusal is an answer, anything else is a fault of ours."""
        self.current = process
        try:
            goes_on = process.step()
        except Killed:
            goes_on = False
            if process.is_daemon:
                self._kill_daemon(process)
        except (ServiceError, StaleDataError, OperationalError) as answer:
            self.trace.append(f"answer to {process.name}: {type(answer).__name__} {answer!s:.80}")
            goes_on = False
        except Exception as error:
            self.processes.remove(process)
            raise Broken(
                self.seed, [f"{process.name}: {''.join(format_exception(error, limit=-6))}"], self.trace
            ) from error
        self.current = None
        if not goes_on and process in self.processes:
            self.processes.remove(process)

    def _kill_daemon(self, dead: Process | None = None) -> None:
        self.trace.append(f"daemon killed{f' in {dead.name}' if dead else ''}")
        daemons = [process for process in self.processes if process.is_daemon]
        self.processes = [process for process in self.processes if not process.is_daemon]
        for process in daemons:
            if process is not dead:
                process.kill()
        self.down_steps = self.rng.choice([0, 0, 20, 100])

    def _strike(self, moment: str) -> None:
        """At a commit: the process dies or the database goes away, before or after it."""
        if self.current is None:
            return
        if self.rng.random() < 2 * self.kill_chance:
            self.trace.append(f"{self.current.name} dies at {moment}")
            raise Killed
        if self.rng.random() < self.database_chance:
            self.trace.append(f"{self.current.name} loses the database at {moment}")
            raise OperationalError(moment, None, Exception("the database went away"))

    def _advance(self, seconds: float) -> None:
        self.runners.advance(seconds)
        finish(self.slurm.settle_late())
        self.clock.move_to(datetime.fromtimestamp(self.cluster.now, UTC))
        self.trace.append(f"{seconds:.0f} s pass")

    # --- coming to rest --------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        self.kill_chance = self.database_chance = 0.0
        self.outside.end()
        self.trace.append("all troubles end")
        while self.processes:
            self._turn(self.processes[0])
        self._advance(60.0)
        if any(workload.state == "queued" for workload in self._rows()):
            for _ in range(3):
                self._rounds(1)
                self._advance(0.0)
            self._report(invariants.order(self))
        self.outside.restore()
        self.runners.good_only = True
        for number in range(SETTLING_ROUNDS):
            rows = self._rows()
            if self._is_at_rest(rows):
                break
            self._decide(rows, last=number > SETTLING_ROUNDS // 2)
            self._rounds(1)
            self._advance(300.0)
        self._report([*invariants.rest(self), *self.errors])

    def _report(self, findings: list[str]) -> None:
        if findings:
            raise Broken(self.seed, findings, self.trace)

    def _decide(self, rows: list[Workload], *, last: bool) -> None:
        """Nothing waits for a person: holds are released, requests are decided."""
        for job in self.cluster.jobs.values():
            job.held = False
        for workload in rows:
            if workload.state == "queued" and workload.held:
                self._answer(self.people.set_held(workload.id, held=False))
            elif workload.state == "awaiting_approval":
                test = workload.test
                if test is None:
                    self._answer(self.people.test(workload.id))
                elif test.status == "passed":
                    self._answer(self.people.approve(workload.id))
                elif test.status == "failed" or last:
                    self._answer(self.people.reject(workload.id))

    def _answer(self, request: Coroutine[Any, Any, None]) -> None:
        try:
            finish(request)
        except ServiceError as answer:
            self.trace.append(f"answer: {answer}")

    def _is_at_rest(self, rows: list[Workload]) -> bool:
        over = all(workload.state not in LIVE_STATES for workload in rows)
        saved = all(attempt.logs_saved_at and attempt.noted_at for workload in rows for attempt in workload.attempts)
        return over and saved and not any(job.live for job in self.cluster.jobs.values())

    def _rounds(self, count: int) -> None:
        for _ in range(count):
            for name, step in LOOPS.items():
                finish(once(name, self.context, step))

    def _ids(self) -> list[str]:
        return self._read(select(Workload.id).order_by(Workload.submitted_at, Workload.id))

    def _rows(self) -> list[Workload]:
        return self._read(select(Workload).order_by(Workload.submitted_at, Workload.id))

    def _read(self, query: Select[Any]) -> list[Any]:
        async def read() -> list[Any]:
            async with self.maker() as session:
                return list(await session.scalars(query))

        found: list[Any] = finish(read())
        return found


def site(folder: Path) -> Settings:
    """A site whose files all lie below `folder`, with short time limits."""
    return Settings(
        database=Database(url=f"sqlite+aiosqlite:///{folder}/one.db"),
        storage=Storage(runs=folder / "runs", images=folder / "images", roots=(Path("/training-data"),)),
        images=Images(registries=("registry.avatar.io",)),
        slurm=SlurmSettings(gpu_labels={"tesla_v100": "V100"}, admin_comment=True),
        policy=Policy(time_limit_min=10, test_time_limit_min=10),
    )


class _Repeatable:
    """The `secrets` module of `portal.services.ids`, drawn from the seed."""

    def __init__(self, rng: random.Random) -> None:
        self.choice = rng.choice
        self._rng = rng

    def token_hex(self, size: int) -> str:
        """`size` bytes as hex digits."""
        return f"{self._rng.getrandbits(8 * size):0{2 * size}x}"


def _errors_into(errors: list[str]) -> Any:
    """Logs go nowhere; what a loop swallowed as an error is a finding."""

    def keep(_logger: Any, method: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
        if method in ("error", "exception", "critical"):
            errors.append(f"logged: {line} {format_exc(limit=-6)}")
        raise structlog.DropEvent

    before = structlog.get_config()
    stack = ExitStack()
    structlog.configure(processors=[keep])
    stack.callback(partial(structlog.configure, **before))
    return stack
