"""Job and step ids."""

from __future__ import annotations

import pytest

from slurm.ids import JobId, component_ids, parse_job_id, parse_step_id


@pytest.mark.parametrize(
    ("text", "job", "numeric"), [("27", JobId(27), 27), ("27+0", JobId(27, 0), 27), ("27+1", JobId(27, 1), 28)]
)
def test_job_ids(text: str, job: JobId, numeric: int) -> None:
    assert parse_job_id(text) == job
    assert (str(job), job.numeric) == (text, numeric)


@pytest.mark.parametrize("text", ["", "0", "27+", "+1", "27_3", "27.1", " 27", "27\n", "27+1+1", "-1", "２７"])
def test_what_is_no_job_id(text: str) -> None:
    with pytest.raises(ValueError, match="not a Slurm job id"):
        parse_job_id(text)


@pytest.mark.parametrize(("text", "step"), [("27.4", (JobId(27), "4")), ("27+1.batch", (JobId(27, 1), "batch"))])
def test_step_ids(text: str, step: tuple[JobId, str]) -> None:
    assert parse_step_id(text) == step


@pytest.mark.parametrize("text", ["27", "27.", ".4", "27.4.5", "x.4", "27.4\n"])
def test_what_is_no_step_id(text: str) -> None:
    with pytest.raises(ValueError, match="not a Slurm"):
        parse_step_id(text)


def test_components_are_numbered_from_the_leader() -> None:
    assert component_ids(27, 3) == (27, 28, 29)
