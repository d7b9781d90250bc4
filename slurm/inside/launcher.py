"""Runs one rank of one step: starts apptainer, says what happens as events, stops the payload cleanly (Python 3.6).

srun starts it as `python3 launcher.<i>.py JOB_FILE STEP_ID TRY ITERATION RESUME`; nothing of the payload is in argv.
Its stdout and stderr are the payload's; a line of its own on stderr begins with "one: ".

Why the payload is stopped from here: a signal to srun or to the step reaches every process of it, squashfuse among them,
and the payload loses its root file system while it handles the signal. SIGTERM to apptainer alone is passed on cleanly.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any, Dict, List, Optional, Tuple

from slurm.inside.launcher_container import (
    Mount,
    Rank,
    apptainer_argv,
    apptainer_env,
    one_mounts,
    payload_env,
    this_rank,
)
from slurm.inside.launcher_payload import Payload, decode, say
from slurm.inside.launcher_proc import all_processes, gpu_use, listening_inodes, oom_kills, tree_of
from slurm.inside.launcher_results import share_with_group
from slurm.inside.lines import Lines
from slurm.inside.runner_paths import Job, Step, config_dir, launcher_events_file, model_dir, out_dir, try_dir

POLL_S = 0.25
STOP_POLL_S = 0.5
USAGE_POLL_S = 10.0
STOP_FILE = "stop"
OUT = "/one/out"
EXIT_NOT_RUN = 1
EXIT_NOT_FOUND = 127


class NotRun(Exception):
    """The payload cannot even be started; `reason` is the event's."""

    def __init__(self, message: str, reason: str = "exit", exit_code: int = EXIT_NOT_RUN) -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_code = exit_code


class Launcher:
    """One rank's life: set up, start, watch, report."""

    def __init__(self, job: Job, step: Step, number: int, iteration: int, resume: bool, rank: Rank) -> None:
        self.job = job
        self.step = step
        self.iteration = iteration
        self.resume = resume
        self.rank = rank
        self.folder = try_dir(job, iteration, step["id"], number)
        self.events = Lines(launcher_events_file(self.folder, rank.number))
        self.usage = Lines(os.path.join(self.folder, "usage.%d.jsonl" % rank.number))
        self.terminated = False
        self.next_stop_look = 0.0
        self.next_usage = time.monotonic() + 1.0
        self.cpu_s = 0.0

    def run(self) -> int:
        """Run the payload to its end; returns the exit code for Slurm."""
        signal.signal(signal.SIGTERM, self._on_term)
        gpus = [int(device) for device in self.rank.gpus.split(",") if device.isdigit()]
        self.events.write(event="started", pid=os.getpid(), host=self.rank.host, rank=self.rank.number, gpus=gpus)
        try:
            scratch = tempfile.mkdtemp(prefix=scratch_prefix(dict(os.environ)), dir=self.job["scratch"])
        except OSError as exc:
            return self._not_run(NotRun("no scratch folder on %s: %s" % (self.rank.host, exc)))
        try:
            return self._run_in(scratch)
        except NotRun as exc:
            return self._not_run(exc)
        finally:
            shutil.rmtree(scratch, onerror=_say_left_behind)

    def _on_term(self, _number: int, _frame: Any) -> None:
        self.terminated = True

    def _not_run(self, why: NotRun) -> int:
        say(str(why))
        self._report_end(why.exit_code, None, why.reason)
        return why.exit_code

    def _run_in(self, scratch: str) -> int:
        mounts = one_mounts(self.job, self.step, self.iteration)
        port, ready_file = self._readiness()
        if self._stop_word():
            self._report_end(None, None, "stopped")
            return EXIT_NOT_RUN
        kills = oom_kills()
        payload = Payload(self._start(mounts, scratch, port), self.step, ready_file, port if self._watches() else None)
        self._watch(payload)
        for refused in share_with_group(
            [out_dir(self.job, self.iteration, self.step["id"]), model_dir(self.job, self.iteration)]
        ):
            say("the portal cannot read %s" % refused)
        return self._ended(payload, oom_kills() > kills)

    def _watches(self) -> bool:
        """Readiness is the first rank's: its port is the one that the others are told."""
        return bool(self.step["ready"]) and self.rank.number == 0

    def _readiness(self) -> Tuple[Optional[int], Optional[str]]:
        """The payload's port and the file to wait for, as far as the step has them."""
        ready = self.step["ready"] or {}
        port = ready.get("port")
        if port == "auto":
            return free_port(), None
        if port is not None and self._watches() and listening_inodes(port):
            raise NotRun(
                "port %d is taken on %s by a process that is not this step's" % (port, self.rank.host), "port_taken"
            )
        if "file" not in ready or not self._watches():
            return port, None
        ready_file = out_dir(self.job, self.iteration, self.step["id"]) + ready["file"][len(OUT) :]
        if os.path.lexists(ready_file):
            os.unlink(ready_file)  # an earlier try's word
        return None, ready_file

    def _start(self, mounts: List[Mount], scratch: str, port: Optional[int]) -> "subprocess.Popen[bytes]":
        with open(
            os.path.join(config_dir(self.job, self.iteration, self.step["id"]), "hosts.json"), encoding="utf-8"
        ) as file:
            hosts = json.load(file)
        payload = payload_env(self.job, self.step, self.iteration, self.rank, hosts, self.resume, port)
        try:
            return subprocess.Popen(
                apptainer_argv(self.job, self.step, mounts, scratch),
                env=apptainer_env(dict(os.environ), payload, scratch),
                stdin=subprocess.DEVNULL,
                cwd=scratch,  # apptainer refuses to start in a folder that it may not open
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            raise NotRun("the container cannot be started: %s" % exc, exit_code=EXIT_NOT_FOUND) from exc

    def _watch(self, payload: Payload) -> None:
        """Returns when the payload has ended."""
        while True:
            try:
                payload.process.wait(timeout=POLL_S)
                return
            except subprocess.TimeoutExpired:
                self._look(payload)

    def _look(self, payload: Payload) -> None:
        """One look at the running payload."""
        self.events.flush()
        if not payload.is_ready and not payload.stopping and payload.looks_ready():
            payload.is_ready = True
            self.events.write(event="ready", port=payload.port)
        if not payload.stopping:
            self._stop_if_asked(payload)
        elif payload.kill_at is not None and time.monotonic() > payload.kill_at and not payload.killed:
            say("the payload did not end within %.0f s of SIGTERM and is killed" % self.job["stop_grace_s"])
            payload.kill()
        if time.monotonic() >= self.next_usage:
            self.next_usage = time.monotonic() + USAGE_POLL_S
            self._sample(payload)

    def _stop_if_asked(self, payload: Payload) -> None:
        payload.stop_word = self._stop_word()
        payload.stopping = (
            "stopped" if payload.stop_word else payload.overdue() or ("terminated" if self.terminated else "")
        )
        if not payload.stopping:
            return
        self.events.write(event="stopping", reason=payload.stop_word or payload.stopping)
        if payload.stopping in ("time_limit", "not_ready", "port_taken"):
            say(self._stop_message(payload))
        payload.kill_at = time.monotonic() + self.job["stop_grace_s"]
        payload.process.terminate()

    def _stop_message(self, payload: Payload) -> str:
        if payload.stopping == "time_limit":
            return "stopped at this component's time limit of %.0f s" % self.step["time_limit_s"]
        awaited = "port %s" % payload.port if payload.port is not None else "file %s" % self.step["ready"]["file"]
        if payload.stopping == "port_taken":
            return "%s is taken on %s by a process that is not this step's" % (awaited, self.rank.host)
        return "not ready (%s) after %.0f s" % (awaited, self.step["ready_timeout_s"])

    def _stop_word(self) -> str:
        """The stop file's word, "" without one. The folder is listed: a name that NFS remembers as absent stays absent."""
        if time.monotonic() < self.next_stop_look:
            return ""
        self.next_stop_look = time.monotonic() + STOP_POLL_S
        if STOP_FILE not in os.listdir(self.folder):
            return ""
        with open(os.path.join(self.folder, STOP_FILE), encoding="utf-8") as file:
            return file.read().strip()

    def _sample(self, payload: Payload) -> None:
        """One usage line. CPU seconds never fall, although a process that nobody waited for takes its own with it."""
        processes = all_processes()
        own = [processes[pid] for pid in tree_of(payload.process.pid, processes) if pid in processes]
        self.cpu_s = max(self.cpu_s, sum(process.cpu_s for process in own))
        gpus = gpu_use(self.rank.devices) if self.step["gpus"] or self.step["shards"] else None
        rss_mib = sum(process.rss_mib for process in own)
        self.usage.write(cpu_s=round(self.cpu_s, 2), rss_mib=round(rss_mib, 1), gpus=gpus)

    def _ended(self, payload: Payload, memory_ran_out: bool) -> int:
        exit_code, number = decode(payload.process.returncode)
        reason = payload.stopping or ("terminated" if self.terminated else "")
        if not reason and exit_code:
            reason = "exit" if number is None else "signal"
            if memory_ran_out and number == signal.SIGKILL:
                reason = "out_of_memory"
        self._report_end(exit_code, number, reason)
        if payload.stop_word == "service_done":
            return 0
        return exit_code or (EXIT_NOT_RUN if reason else 0)

    def _report_end(self, exit_code: Optional[int], number: Optional[int], reason: str) -> None:
        """The word that the runner waits for: a file system that is full keeps it from nobody, it comes later."""
        self.events.write(event="ended", exit_code=exit_code, signal=number, reason=reason)
        if not self.events.settle():
            say("the end cannot be reported: the run directory cannot be written")


def scratch_prefix(environ: Dict[str, str]) -> str:
    """The scratch folder's name names the leader's job and the step, so that an epilog can find what a killed one left."""
    return "one-%s.%s-" % (environ.get("SLURM_JOB_ID", "0"), environ.get("SLURM_STEP_ID", "0"))


def free_port() -> int:
    """A TCP port that nobody has on this node now."""
    with socket.socket() as listener:
        listener.bind(("", 0))
        return int(listener.getsockname()[1])


def _say_left_behind(_function: Any, path: str, error: Tuple[Any, BaseException, Any]) -> None:
    say("scratch is left behind: %s: %s" % (path, error[1]))


def main(args: List[str]) -> int:
    """`JOB_FILE STEP_ID TRY ITERATION RESUME` -> the exit code of the step."""
    job_path, step_id, number, iteration, resume = args
    os.umask(0o027)
    with open(job_path, encoding="utf-8") as file:
        job: Dict[str, Any] = json.load(file)
    step = next(step for step in job["steps"] if step["id"] == step_id)
    rank = this_rank(dict(os.environ), os.environ.get("SLURMD_NODENAME") or socket.gethostname())
    return Launcher(job, step, int(number), int(iteration), resume == "1", rank).run()
