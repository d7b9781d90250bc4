"""The srun line of `one shell`, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from portal.cli.commands.shell import srun_line
from portal.cli.context import Cli
from portal.cli.exits import CliError, Exit
from portal.cli.words import Words

CLI = Cli(words=Words("en"))
ME = {"username": "kim", "unixUser": "kim"}


def document(**changed: Any) -> dict[str, Any]:
    steps = {
        "T/A": {"state": "completed", "try": 1, "job": 0, "group": 1, "hosts": ["gpu3"]},
        "T/B": {"state": "running", "try": 2, "job": 0, "group": 0, "hosts": ["gpu1", "gpu2"]},
    }
    return {
        "id": "W-AAAAAA",
        "owner": ME,
        "state": "running",
        "phase": "",
        "attempts": [{"number": 1, "runDir": "/runs/kim/W-AAAAAA/a1", "report": {"steps": steps}}],
        "slurmJobs": [{"attempt": 1, "index": 0, "jobId": 7, "componentIds": [7, 8]}],
        **changed,
    }


def test_the_line_names_the_groups_node_and_the_ranks_events() -> None:
    words = srun_line(CLI, document(), ME, "B", 1)
    assert words[:7] == [
        "srun",
        "--jobid=7",
        "--overlap",
        "--het-group=0",
        "--nodelist=gpu2",
        "--nodes=1",
        "--ntasks=1",
    ]
    assert words[-1] == "/runs/kim/W-AAAAAA/a1/steps/T/B/t2/events.1.jsonl"
    assert srun_line(CLI, document(), ME, "", 1) == words, "the only one that runs"


def test_a_plain_job_has_no_het_group() -> None:
    plain = document(slurmJobs=[{"attempt": 1, "index": 0, "jobId": 7, "componentIds": [7]}])
    assert not [word for word in srun_line(CLI, plain, ME, "T/B", 0) if word.startswith("--het-group")]


@pytest.mark.parametrize(
    ("changed", "component", "rank", "code", "text"),
    [
        ({"owner": {"username": "park"}}, "B", 0, Exit.NOT_PERMITTED, "not yours"),
        ({"state": "completed"}, "B", 0, Exit.CONFLICT, "not running: Completed"),
        ({}, "A", 0, Exit.CONFLICT, "T/A is not running (completed)"),
        ({}, "C", 0, Exit.USAGE, "Running: T/B"),
        ({}, "B", 2, Exit.USAGE, "0 to 1"),
    ],
)
def test_what_it_refuses(changed: dict[str, Any], component: str, rank: int, code: Exit, text: str) -> None:
    with pytest.raises(CliError, match=text.replace("(", r"\(").replace(")", r"\)")) as refused:
        srun_line(CLI, document(**changed), ME, component, rank)
    assert refused.value.exit_code == code
