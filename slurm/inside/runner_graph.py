"""One pass through the graph: starts what may start and fits, retries, stops, until every step has ended (Python 3.6)."""

import os
import time
from typing import Any, Dict, List, Optional, Set

from slurm.inside.runner_files import Events, last_lines, write_json
from slurm.inside.runner_groups import GroupReleases
from slurm.inside.runner_parts import SERVICE_DONE, Part
from slurm.inside.runner_paths import Job, config_dir, try_dir
from slurm.inside.runner_steps import Booking, Outcome, StepRun

POLL_S = 0.1
FAILED_RESULTS = ("failed", "launch_failure")


class Ending:
    """Why the whole job has to end, set by a signal: "cancelled", "time_limit" or "" while nobody asked."""

    reason = ""


class Pass:
    """The state of one pass: a part for every step."""

    def __init__(
        self, job: Job, iteration: int, events: Events, ending: Ending, releases: Optional[GroupReleases]
    ) -> None:
        """`releases` is None while a later pass still needs every group."""
        self.job = job
        self.iteration = iteration
        self.parts: Dict[str, Part] = {step["id"]: Part(job, step) for step in job["steps"]}
        self.failures: List[Dict[str, Any]] = []
        self._events = events
        self._ending = ending
        self._releases = releases
        self._booking = Booking(job["groups"])
        self._stopping = ""

    def run(self) -> bool:
        """Run to the end; True when every step completed."""
        while not all(part.result for part in self.parts.values()):
            self.look()
            time.sleep(POLL_S)
        return all(part.result == "completed" for part in self.parts.values())

    def look(self) -> None:
        """One turn of the loop."""
        self._events.flush()
        if self._ending.reason and self._stopping != self._ending.reason:
            self._stop(self._ending.reason)
        for part in self._live():
            self._tell(part)
            if part.run is not None and part.run.process.poll() is not None:
                self._finish(part, part.run)
            else:
                part.kill_if_overdue()
        self._stop_services()
        if not self._stopping:
            self._start()
            self._refuse_if_stuck()
            self._release_groups()

    def _live(self) -> List[Part]:
        return [part for part in self.parts.values() if part.run is not None]

    def _waiting(self) -> List[Part]:
        return [part for part in self.parts.values() if part.waiting]

    def _clients(self, part: Part) -> List[Part]:
        """The parts that run together with this one: those it must be up for."""
        edges = [(other, edge) for other in self.parts.values() for edge in other.step["after"]]
        return [other for other, edge in edges if edge["step"] == part.id and edge["when"] == "started"]

    def _served(self, service: Part) -> List[Part]:
        """Whom a service is for: its clients, or every part that is no service when nobody names it."""
        return self._clients(service) or [part for part in self.parts.values() if not part.step["service"]]

    def _tell(self, part: Part) -> None:
        """Write what the launchers have reported."""
        for news in part.look():
            if news == "launched":
                self._write_started(part, part.hosts)
            else:
                self._events.write("step_ready", step=part.id, iteration=self.iteration)

    def _write_started(self, part: Part, hosts: List[str]) -> None:
        place = {"group": part.step["group"], "hosts": hosts}
        self._events.write("step_started", step=part.id, **{"try": part.try_number}, iteration=self.iteration, **place)

    # --- starting -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        for part in self._waiting():
            due = time.monotonic() >= part.not_before
            if due and self._may_start(part) and self._booking.fits(part.step):
                self._launch(part)

    def _may_start(self, part: Part) -> bool:
        return all(self._lets_start(self.parts[edge["step"]], edge["when"]) for edge in part.step["after"])

    def _lets_start(self, before: Part, when: str) -> bool:
        """Whether the step before has got as far as an edge asks; "begun" is the plan's own order."""
        if before.run is None or when == "finished":
            return before.result == "completed"
        return when == "begun" or before.is_ready

    def _launch(self, part: Part) -> None:
        try:
            os.makedirs(try_dir(self.job, self.iteration, part.id, part.try_number), exist_ok=True)
            write_json(os.path.join(config_dir(self.job, self.iteration, part.id), "hosts.json"), self._hosts(part))
            part.launch(self.iteration)
        except OSError as exc:
            self._launch_failed(part, None, [str(exc)])
        else:
            self._booking.take(part.step)

    def _hosts(self, part: Part) -> Dict[str, Any]:
        """Where the other running parts of the task are, by node id."""
        others = [
            other for other in self._live() if other.step["task_id"] == part.step["task_id"] and other.is_launched
        ]
        return {other.step["node_id"]: {"hosts": other.hosts, "port": other.port} for other in others}

    def _launch_failed(self, part: Part, exit_code: Optional[int], said: List[str]) -> None:
        """srun ended before its launcher began: Slurm's trouble, tried again with longer and longer waits."""
        waits = self.job["launch_backoff_s"]
        if self._stopping:
            self._end(part, Outcome("stopped", self._stopping, exit_code, None, time.time()))
        elif part.launches > len(waits):
            self._end(part, Outcome("launch_failure", "launch", exit_code, None, time.time()))
        else:
            part.not_before = time.monotonic() + waits[part.launches - 1]
            print(
                "%s could not be launched (%s), next try in %.0f s"
                % (part.id, " ".join(said), waits[part.launches - 1])
            )

    def _refuse_if_stuck(self) -> None:
        """A graph in which only services are left running, and none of the rest can start, would wait for ever."""
        waiting = self._waiting()
        moving = [part for part in self._live() if not (part.step["service"] and part.is_ready) or part.stop_word]
        if waiting and not moving and not any(part.launches for part in waiting):
            print("%s can never start beside what is running" % waiting[0].id, flush=True)
            self._end(waiting[0], Outcome("launch_failure", "launch", None, None, time.time()))

    # --- ending ---------------------------------------------------------------------------------------------------

    def _finish(self, part: Part, run: StepRun) -> None:
        """The srun has ended."""
        run.read()
        self._tell(part)
        if run.launched and not part.is_launched:
            self._write_started(part, run.hosts)
        self._booking.give_back(part.step)
        part.run = None
        if not run.launched and not part.stop_word:
            self._launch_failed(part, run.process.returncode, last_lines(os.path.join(run.folder, "srun.log"))[-1:])
            return
        outcome = self._outcome(part, run)
        if outcome.result == "failed" and self._may_retry(part):
            self._write_ended(part, outcome)
            part.try_again()
        else:
            self._end(part, outcome)

    def _outcome(self, part: Part, run: StepRun) -> Outcome:
        """What the end of this try means for the run."""
        outcome = run.outcome(run.process.returncode)
        was_needed = part.step["service"] and not part.stop_word and not self._needs_are_over(part)
        if part.stop_word == SERVICE_DONE or (part.step["service"] and not part.stop_word and not was_needed):
            return outcome._replace(result="completed", reason="")
        if part.stop_word and outcome.result in ("stopped", "terminated"):
            return outcome._replace(result="stopped", reason=part.stop_word)
        if outcome.result in ("stopped", "terminated"):
            return outcome._replace(result="failed")
        if was_needed and outcome.result == "completed":
            return outcome._replace(result="failed", reason="exit")
        return outcome

    def _needs_are_over(self, service: Part) -> bool:
        """Whether everybody who needs the service has ended, by their launchers' word where srun has not noticed yet."""
        clients = self._served(service)
        for client in clients:
            if client.run is not None:
                client.run.read()
        ended = [bool(client.result) or (client.run is not None and client.run.all_ended) for client in clients]
        return bool(ended) and all(ended)

    def _may_retry(self, part: Part) -> bool:
        """Not while stopping, and not when parts that talk to this one have begun: they know its old place."""
        begun = any(client.begun for client in self._clients(part))
        return not self._stopping and not begun and part.try_number <= part.step["retries"]

    def _end(self, part: Part, outcome: Outcome) -> None:
        part.result = outcome.result
        self._write_ended(part, outcome)
        if outcome.result in FAILED_RESULTS:
            self._note_failure(part, outcome)
            self._stop("stopped_after_failure")

    def _write_ended(self, part: Part, outcome: Outcome) -> None:
        number = part.try_number if part.begun else 0
        how = {"exit_code": outcome.exit_code, "signal": outcome.signal, "reason": outcome.reason}
        where = {"try": number, "iteration": self.iteration}
        self._events.write("step_ended", step=part.id, result=outcome.result, **where, **how)

    def _note_failure(self, part: Part, outcome: Outcome) -> None:
        folder = try_dir(self.job, self.iteration, part.id, part.try_number)
        logs = [os.path.join(folder, name) for name in ("stderr.log", "stdout.log", "srun.log")]
        failure = {"step": part.id, "try": part.try_number, "t": outcome.t, "exit_code": outcome.exit_code}
        failure.update(signal=outcome.signal, reason=outcome.reason, last_lines=last_lines(*logs))
        self.failures.append(failure)

    def _stop(self, word: str) -> None:
        """Stop what runs, skip what waits. A cancel may come while a failure is being cleaned up, not the reverse."""
        if self._stopping and word == "stopped_after_failure":
            return
        self._stopping = word
        self._events.write("stopping", reason="step_failed" if word == "stopped_after_failure" else word)
        for part in self._live():
            part.request_stop(word)
        failed = {part.id for part in self.parts.values() if part.result in FAILED_RESULTS}
        behind = self._behind(failed)
        for part in self._waiting():
            reason = "dependency_failed" if part.id in behind else word
            self._end(part, Outcome("stopped" if part.begun else "skipped", reason, None, None, time.time()))

    def _behind(self, ids: Set[str]) -> Set[str]:
        """Every step that waits, directly or not, for one of these."""
        found: Set[str] = set()
        frontier = set(ids)
        while frontier:
            edges = [(part.id, edge) for part in self.parts.values() for edge in part.step["after"]]
            frontier = {name for name, edge in edges if edge["step"] in frontier and edge["when"] != "begun"} - found
            found |= frontier
        return found

    def _stop_services(self) -> None:
        """A service whose last client has ended is done."""
        for part in self._live():
            served = self._served(part)
            if part.step["service"] and part.is_launched and served and all(client.result for client in served):
                part.request_stop(SERVICE_DONE)

    def _release_groups(self) -> None:
        if self._releases is not None:
            ended = {part.id for part in self.parts.values() if part.result}
            self._releases.look(ended, {part.step["group"] for part in self.parts.values() if not part.result})
