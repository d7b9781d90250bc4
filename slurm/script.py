"""A runner job -> the batch script's text: one Python file with the job, the launcher and the runner in it, no shell."""

from __future__ import annotations

import ast
import functools
from importlib.resources import files

from slurm.runnerjob import RunnerJob

INTERPRETER = "/usr/bin/python3 -IS"  # isolated: nothing of the user's own Python is loaded; a #! line has one argument
RUNNER_MODULES = (
    "lines.py",
    "runner_paths.py",
    "runner_files.py",
    "runner_steps.py",
    "runner_parts.py",
    "runner_groups.py",
    "runner_graph.py",
    "runner.py",
)
LAUNCHER_MODULES = (
    "lines.py",
    "runner_paths.py",
    "launcher_proc.py",
    "launcher_container.py",
    "launcher_payload.py",
    "launcher_results.py",
    "launcher.py",
)
INSIDE = files("slurm.inside")
_PACKAGE = "slurm."


def batch_script(job: RunnerJob) -> str:
    """The batch script that runs `job`.

    The job's values travel as one JSON literal, so that no value is ever read by a shell, by srun or by Slurm.
    """
    return "\n".join(
        [
            f"#!{INTERPRETER}",
            f"# OnE workload {job.workload}, attempt {job.attempt}, job {job.job_index}. No shell reads any of this.",
            f"JOB = {_literal(job.to_json())}",
            common_part(),
        ]
    )


@functools.cache
def common_part() -> str:
    """The end that every batch script has: launcher, runner and the call. It is most of the text."""
    return "\n".join(
        [
            f"LAUNCHER = {_literal(launcher_source())}",
            "",
            _joined(RUNNER_MODULES),
            "",
            "sys.exit(main(JOB, LAUNCHER))",
            "",
        ]
    )


def launcher_source() -> str:
    """The launcher as the one file that the runner copies into the run directory."""
    return _joined(LAUNCHER_MODULES) + '\n\nif __name__ == "__main__":\n    sys.exit(main(sys.argv[1:]))\n'


@functools.cache
def _joined(modules: tuple[str, ...]) -> str:
    """The modules one after another: what one imports from another stands above it already."""
    return "\n\n".join(_without_siblings(INSIDE.joinpath(name).read_text("utf-8")) for name in modules)


def _without_siblings(source: str) -> str:
    """A module's source without its imports from this package."""
    siblings = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PACKAGE)
    ]
    dropped = {number for node in siblings for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return "\n".join(line for number, line in enumerate(source.splitlines(), 1) if number not in dropped)


def _literal(text: str) -> str:
    """`text` as a Python literal, a source line for each of its lines, so that people and diffs can read it."""
    return "(\n" + "\n".join(f"    {line!a}" for line in text.splitlines(keepends=True)) + "\n)"
