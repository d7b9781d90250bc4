"""The run directory as the job itself makes it: owned folders, JSON lines, last lines of logs (Python 3.6)."""

import json
import os
import shutil
import stat
import sys
from typing import Any, Dict, List

from slurm.inside.lines import Lines
from slurm.inside.runner_paths import (
    Job,
    Step,
    checkpoint_dir,
    config_dir,
    job_file,
    launcher_file,
    metrics_file,
    model_dir,
    out_dir,
    runner_events_file,
    try_dir,
)

LAST_LINES = 20
LAST_BYTES = 32768
LONGEST_LINE = 2000


class Refused(Exception):
    """The job must not run here; nothing has been started."""


class Events:
    """The runner's own events; making it is what claims the attempt."""

    def __init__(self, path: str) -> None:
        """Raises Refused when the attempt has events already (an attempt runs once), or none can be made."""
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
        except FileExistsError as exc:
            raise Refused("%s exists: this attempt has run already" % path) from exc
        except OSError as exc:
            raise Refused("the run directory cannot be written: %s" % exc) from exc
        self._lines = Lines(path)

    def write(self, event: str, **data: Any) -> None:
        """Append one event with the time now."""
        self._lines.write(event=event, **data)

    def flush(self) -> None:
        """Try again to write what could not be written."""
        self._lines.flush()

    def settle(self) -> None:
        """Wait for a while until everything is written."""
        if not self._lines.settle():
            print("the last events are lost: the run directory cannot be written", file=sys.stderr, flush=True)


def make_owned(path: str) -> None:
    """Make one folder, or accept it as it is when it is a real folder of this user.

    Its group and setgid bit come from the folder above: a chmod by somebody outside the group would clear the bit.
    Raises Refused when it is a link or belongs to somebody else.
    """
    try:
        os.mkdir(path, 0o750)
    except FileExistsError:
        pass
    except OSError as exc:
        raise Refused("the run directory cannot be made: %s" % exc) from exc
    check_owned(path)


def claim_run_dir(job: Job, launcher_source: str) -> Events:
    """Make `<user>/<workload>/a<attempt>` beneath the runs folder, and leave the job and its launcher there."""
    attempt = job["run_dir"]
    workload = os.path.dirname(attempt)
    for path in (os.path.dirname(workload), workload, attempt):
        make_owned(path)
    events = Events(runner_events_file(job))
    try:
        write_json(job_file(job), job)
        write_text(launcher_file(job), launcher_source)
    except OSError as exc:
        raise Refused("the run directory cannot be written: %s" % exc) from exc
    return events


def make_step_dirs(job: Job) -> None:
    """Every folder of every step and iteration, before anything starts: output to a missing folder is lost silently.

    Raises Refused when one cannot be made.
    """
    try:
        for iteration in range(1, job["iterations"] + 1):
            os.makedirs(model_dir(job, iteration), exist_ok=True)
            for step in job["steps"]:
                _make_dirs_of(job, iteration, step)
    except OSError as exc:
        raise Refused("the run directory cannot be written: %s" % exc) from exc


def _make_dirs_of(job: Job, iteration: int, step: Step) -> None:
    names = (out_dir, config_dir, checkpoint_dir)
    folders = [name(job, iteration, step["id"]) for name in names] + [try_dir(job, iteration, step["id"], 1)]
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
    write_text(metrics_file(job, iteration, step["id"]), "")
    config = {"app": job["config"]["app"], "training": job["config"]["training"] or {}, "params": step["params"]}
    for name, content in config.items():
        write_json(os.path.join(config_dir(job, iteration, step["id"]), name + ".json"), content)


def take_over_checkpoints(job: Job) -> None:
    """Give each step of this job what the same step of the run that is resumed left in /one/checkpoint.

    Copied, not shared: the old run stays as it was, and two runs that resume it do not write over each other. Links are
    copied as links. A later attempt finds its own folder and keeps it. Raises Refused when the copy fails: a run that was
    to go on must not silently begin anew.
    """
    source = job["resume_from"]
    if not source:
        return
    for step in job["steps"]:
        target = checkpoint_dir(job, 1, step["id"])
        old = os.path.join(source, step["id"])
        if os.path.lexists(target) or not os.path.lexists(old):
            continue
        check_owned(old)
        copy = target + ".copy"
        try:
            shutil.rmtree(copy, ignore_errors=True)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copytree(old, copy, symlinks=True)
            os.rename(copy, target)
        except (OSError, shutil.Error) as exc:
            raise Refused("the checkpoints of %s cannot be copied: %s" % (step["id"], exc)) from exc


def check_owned(path: str) -> None:
    """Raises Refused unless `path` is a real folder of this user."""
    try:
        found = os.lstat(path)
    except OSError as exc:
        raise Refused("it must be there, and is not: %s" % exc) from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Refused("%s is not a folder of uid %d" % (path, os.getuid()))


def write_json(path: str, content: Any) -> None:
    """A JSON file, readable for people."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_text(path: str, text: str) -> None:
    """A whole file, complete at once for whoever looks: written under another name, then renamed."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def read_events(path: str) -> List[Dict[str, Any]]:
    """The complete lines of an event file that may be growing or not exist yet."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]


def last_lines(*paths: str) -> List[str]:
    """The last 20 lines of the first of the files that says anything; undecodable bytes are shown as such."""
    for path in paths:
        try:
            with open(path, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_BYTES))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except FileNotFoundError:
            continue
        said = [line[:LONGEST_LINE] for line in lines if line.strip()]
        if said:
            return said[-LAST_LINES:]
    return []
