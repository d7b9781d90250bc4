"""shell: into the running container of a component, by srun, as the user whom the job runs as."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
from typing import Annotated, Any

import typer

from portal.cli.context import Cli, WorkloadArgument, cli_of
from portal.cli.exits import CliError, Exit
from portal.cli.output import print_line, print_note
from portal.cli.watching import state_words

RUNNING = "running"
PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")


def shell(
    context: typer.Context,
    workload: WorkloadArgument,
    component: Annotated[str, typer.Option("--component", "-c", help="CL-REF-001 or TASK-001/CL-REF-001.")] = "",
    rank: Annotated[int, typer.Option("--rank", min=0, help="Of a component on several nodes: which one.")] = 0,
    only_print: Annotated[bool, typer.Option("--print", help="Print the srun line; run nothing.")] = False,
) -> None:
    """A shell inside a component's running container; exits as the shell does."""
    cli = cli_of(context)
    with cli.api() as api:
        document, me = api.get(f"/workloads/{workload}"), api.get("/me")
    argv = srun_line(cli, document, me, component, rank)
    if only_print:
        print_line(shlex.join(argv))
        return
    if getpass.getuser() != me["unixUser"]:
        raise CliError(Exit.NOT_PERMITTED, cli.words("shell_other_user", user=me["unixUser"]))
    if shutil.which(argv[0]) is None:
        raise CliError(Exit.UNAVAILABLE, cli.words("shell_no_srun"))
    print_note(shlex.join([*argv[: argv.index(PYTHON[0])], "..."]))
    os.execvp(argv[0], argv)  # the shell's exit code becomes this command's


def srun_line(cli: Cli, document: dict[str, Any], me: dict[str, Any], component: str, rank: int) -> list[str]:
    """The words that land in the container. Raises CliError: not yours, not running, ended, unknown component or rank."""
    from importlib.resources import files  # takes as long to import as five of our modules

    if document["owner"]["username"] != me["username"]:
        raise CliError(Exit.NOT_PERMITTED, cli.words("shell_not_yours", id=document["id"]))
    if document["state"] != RUNNING:
        state = state_words(document, cli.words)
        raise CliError(Exit.CONFLICT, cli.words("shell_not_running", id=document["id"], state=state))
    attempt = document["attempts"][-1]
    steps = (attempt["report"] or {}).get("steps", {})
    name, step = _chosen(cli, steps, component)
    if not 0 <= rank < len(step["hosts"]):
        raise CliError(Exit.USAGE, cli.words("shell_no_rank", step=name, last=len(step["hosts"]) - 1))
    jobs = [job for job in document["slurmJobs"] if job["attempt"] == attempt["number"]]
    job = next(job for job in jobs if job["index"] == step["job"])
    group = [f"--het-group={step['group']}"] if len(job["componentIds"]) > 1 else []
    place = [f"--nodelist={step['hosts'][rank]}", "--nodes=1", "--ntasks=1"]
    events = f"{attempt['runDir']}/steps/{name}/t{step['try']}/events.{rank}.jsonl"
    source = files("slurm.inside").joinpath("enter.py").read_text("utf-8")
    return ["srun", f"--jobid={job['jobId']}", "--overlap", *group, *place, "--pty", *PYTHON, source, events]


def _chosen(cli: Cli, steps: dict[str, Any], component: str) -> tuple[str, dict[str, Any]]:
    """The running step that is meant; without a name the only one that runs."""
    running = sorted(name for name, step in steps.items() if step["state"] == RUNNING)
    wanted = [name for name in steps if component in {name, name.rpartition("/")[2]}] if component else running
    if len(wanted) != 1:
        raise CliError(Exit.USAGE, cli.words("shell_which", running=", ".join(running) or "-"))
    (name,) = wanted
    if name not in running:
        raise CliError(Exit.CONFLICT, cli.words("shell_ended", step=name, state=steps[name]["state"]))
    return name, steps[name]
