"""What sacct is told of ended jobs: AdminComment, where the site grants it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slurm.agent.reader import Road
from slurm.agent.verbs import Verbs
from slurm.errors import NotPermitted
from tests.slurm.client.conftest import AgentStage
from tests.slurm.client.contract import (
    LONG,
    OWNER,
    component,
    fresh_name,
    submission,
)
from tests.slurm.client.fakecalls import FakeReader


async def ended_job(stage: AgentStage) -> int:
    """A job of ours that has ended."""
    (job_id,) = await stage.client.submit(submission(stage, LONG, component(fresh_name())))
    await stage.client.cancel(OWNER, job_id)
    stage.calls.calls.clear()
    return job_id


async def test_an_ended_job_is_annotated(stage: AgentStage) -> None:
    job_id = await ended_job(stage)
    await stage.client.annotate(job_id, "W-A1B2C3 used of asked: 한글")
    assert stage.calls.calls == [("annotate", job_id, "W-A1B2C3 used of asked: 한글")]


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31m", "\x00", "\u202egpj.exe"], ids=ascii)
async def test_only_one_printable_line_is_written(stage: AgentStage, text: str) -> None:
    job_id = await ended_job(stage)
    with pytest.raises(NotPermitted, match="one printable line"):
        await stage.client.annotate(job_id, text)
    assert stage.calls.calls == []


async def test_too_long_a_comment_is_no_request(stage: AgentStage) -> None:
    with pytest.raises(ValueError, match="at most 1024"):
        await stage.client.annotate(1, "x" * 1025)


async def test_foreign_jobs_are_not_annotated(stage: AgentStage) -> None:
    with pytest.raises(NotPermitted, match="was not submitted by this agent"):
        await stage.client.annotate(999, "text")
    job_id = await ended_job(stage)
    job = stage.cluster.jobs[job_id]
    job.component = replace(job.component, name="somebody-elses")
    with pytest.raises(NotPermitted, match="is not the one that this agent submitted"):
        await stage.client.annotate(job_id, "text")
    assert stage.calls.calls == []


def test_nothing_is_annotated_without_the_sites_grant(stage: AgentStage, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = stage.config.model_copy(update={"admin_comment": False})
    refusing = Verbs(granted, stage.calls, Road(FakeReader(stage.cluster), "a test"), stage.ledgers[-1])
    with pytest.raises(NotPermitted, match="admin_comment in the agent's configuration"):
        refusing.annotate(1, "text")
    monkeypatch.setattr(stage.calls, "admin_level", lambda user: "Operator")
    assert refusing.version().problems == ()
    (problem,) = stage.verbs.version().problems
    assert "set AdminLevel=Admin," in problem
    monkeypatch.setattr(stage.calls, "admin_level", lambda user: "None")
    (problem,) = refusing.version().problems
    assert "AdminLevel=Operator" in problem
