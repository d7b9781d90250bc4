"""The gate: minimal run tests and decisions."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from portal.domain.priority import Level
from portal.services import approvals, tests
from portal.services.tests import TestRequest
from portal.web.context import Asker, Session, SiteSettings
from portal.web.guards import APPROVE, SUBMIT
from portal.web.schemas import loop_test_document, workload_document

WorkloadId = FromPath[str]


class TestBody(BaseModel):
    """What the test should have otherwise than the site's defaults; sizes count for every component that asks for more."""

    __test__ = False  # not a test class
    model_config = ConfigDict(extra="forbid")

    episodes: Annotated[int | None, Field(description="RL: 10 to 1000.")] = None
    iterations: Annotated[int | None, Field(description="General: 5 to 20.")] = None
    gpus: Annotated[int | None, Field(ge=0, description="GPUs a component.")] = None
    memory: Annotated[str | None, Field(max_length=32, description="Memory a component, such as 32GB.")] = None
    params: Annotated[
        dict[str, dict[str, JsonValue]], Field(description="Parameters for the test only: TASK/NODE -> name -> value.")
    ] = {}


class ApproveBody(BaseModel):
    """A decision in favour."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    spec_hash: Annotated[
        str | None, Field(alias="specHash", max_length=64, description="What was reviewed; another one is refused.")
    ] = None
    priority: Level = Level.NORMAL


class RejectBody(BaseModel):
    """A decision against."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=2000, description="10 characters at least.")]


@post("/workloads/{workload_id:str}/test", guards=[SUBMIT])
async def start_test(
    session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId, data: JSONBody[TestBody]
) -> dict[str, Any]:
    """Start the minimal run test; `runId` is the workload that runs it."""
    wanted = TestRequest(
        episodes=data.episodes, iterations=data.iterations, gpus=data.gpus, memory=data.memory, params=data.params
    )
    test = await tests.start(session, actor, settings, workload_id, wanted)
    return {"runId": test.run_id, "specHash": test.spec_hash, "size": test.size, "loopTest": loop_test_document(test)}


@post("/workloads/{workload_id:str}/approve", guards=[APPROVE], status_code=200)
async def approve(
    session: Session, actor: Asker, settings: SiteSettings, workload_id: WorkloadId, data: JSONBody[ApproveBody]
) -> dict[str, Any]:
    """Let a request into the queue; only after a passed test of exactly its spec hash."""
    workload = await approvals.approve(
        session, actor, settings, workload_id, spec_hash=data.spec_hash, priority=data.priority
    )
    return workload_document(workload)


@post("/workloads/{workload_id:str}/reject", guards=[APPROVE], status_code=200)
async def reject(session: Session, actor: Asker, workload_id: WorkloadId, data: JSONBody[RejectBody]) -> dict[str, Any]:
    """Turn a request down, with the reason that its applicant reads."""
    return workload_document(await approvals.reject(session, actor, workload_id, data.reason))


ROUTES = [start_test, approve, reject]
