"""The batch script's body: runs the job's steps inside its allocation and says what happened as events (Python 3.6).

The road of one step: wait for its predecessors -> book room in its group -> srun -> launcher events -> ended.
One thread, one loop; everything it waits for is a process of its own or a file.
"""

import json
import os
import signal
import socket
import sys
import time
from typing import Any, Dict, List, Optional

from slurm.inside.runner_files import Events, Refused, check_owned, claim_run_dir, make_step_dirs, take_over_checkpoints
from slurm.inside.runner_graph import Ending, Pass
from slurm.inside.runner_groups import GroupReleases
from slurm.inside.runner_paths import Job

EXIT_OK = 0
EXIT_NOT_OK = 1
EXIT_REFUSED = 3
LIMIT_WARNING_S = 120  # the job is submitted with --signal=B:TERM@120 ...
LIMIT_WARNING_EARLY_S = 60  # ... which Slurm may send a minute early (sbatch man page)


def ending_for(number: int, now: float, job_end: Optional[float]) -> str:
    """What a signal means: USR1 is a cancel, TERM one too unless the time limit is near (epoch seconds)."""
    near = job_end is not None and job_end - now <= LIMIT_WARNING_S + LIMIT_WARNING_EARLY_S
    return "time_limit" if number == signal.SIGTERM and near else "cancelled"


def listen_for_the_end(environ: Dict[str, str]) -> Ending:
    """Handle the signals from now on; the first one decides."""
    ending = Ending()
    end_text = environ.get("SLURM_JOB_END_TIME", "")
    job_end = float(end_text) if end_text.isdigit() else None

    def on_signal(number: int, _frame: Any) -> None:
        ending.reason = ending.reason or ending_for(number, time.time(), job_end)

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, on_signal)
    return ending


def check_allocation(job: Job, environ: Dict[str, str]) -> None:
    """Raises Refused unless every het group is here.

    A refused submission can leave one component behind, which then runs the script alone and without SLURM_HET_SIZE.
    """
    expected = str(job["het_size"]) if job["het_size"] > 1 else None
    found = environ.get("SLURM_HET_SIZE")
    if found != expected and not (expected is None and found == "1"):
        raise Refused("the plan has %d het groups, SLURM_HET_SIZE is %s" % (job["het_size"], found or "not set"))


def run_passes(job: Job, events: Events, ending: Ending, job_id: str) -> bool:
    """Run the graph as often as asked; True when every pass went well. A failed pass does not end the others."""
    events.write("runner_started", het_size=job["het_size"], host=socket.gethostname())
    releases = GroupReleases(job, job_id, events)
    failures: List[Dict[str, Any]] = []
    good = 0
    for iteration in range(1, job["iterations"] + 1):
        began = time.monotonic()
        one = Pass(job, iteration, events, ending, releases if iteration == job["iterations"] else None)
        ok = one.run()
        good += ok
        failures += one.failures
        if job["iterations"] > 1:
            events.write("iteration_ended", iteration=iteration, ok=ok, seconds=round(time.monotonic() - began, 3))
        if ending.reason:
            break
    first = min(failures, key=lambda failure: float(failure["t"])) if failures else None
    all_good: bool = good == job["iterations"]
    events.write("runner_ended", ok=all_good, first_failure=first)
    events.settle()
    return all_good


def main(job_text: str, launcher_source: str) -> int:
    """Run the job; returns the batch script's exit code: 0 all well, 1 not, 3 refused before anything started."""
    environ = dict(os.environ)
    ending = listen_for_the_end(environ)
    os.umask(0o027)
    job: Job = json.loads(job_text)
    try:
        check_allocation(job, environ)
        if job["resume_from"]:
            check_owned(job["resume_from"])
        events = claim_run_dir(job, launcher_source)
        take_over_checkpoints(job)
        make_step_dirs(job)
    except Refused as exc:
        print("refused: %s" % exc, file=sys.stderr, flush=True)
        return EXIT_REFUSED
    return EXIT_OK if run_passes(job, events, ending, environ.get("SLURM_JOB_ID", "")) else EXIT_NOT_OK
