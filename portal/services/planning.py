"""The plan before anything is submitted: what would run where, in words and as data, from the newest snapshot."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from containers.image import ImageConfig
from portal.compile import RunnableImage, RunRequest, compile_run, plan_run, resolve, step_graph
from portal.db.models import DurationSample
from portal.domain.priority import Level, PriorityScale
from portal.services import cluster
from portal.services.errors import Invalid, Unavailable
from portal.services.site import site_policy
from portal.settings import Settings
from portal.spec.graph import components_of
from portal.spec.models import AppSpec
from portal.spec.problems import Problem
from slurm.errors import PlanError
from slurm.inventory import NodeClass
from slurm.plan import Form, Plan
from slurm.plan.explain import explain

SAMPLES_A_COMPONENT = 20
SHARES_LIMITED = (
    "GPU shares are for development and inference. A cooperative limit keeps each to its part of cores and memory: "
    "a library that the image can take out again.",
    "GPU 분할은 개발·추론 용도입니다. 코어와 메모리는 협조적 제한입니다: 미리 불러오는 라이브러리가 지키며, 이미지가 이를 "
    "해제할 수 있습니다.",
)
SHARES_FREE = (
    "GPU shares are for development and inference. This site sets no limit on a share's cores and memory: neighbours "
    "on the same GPU can take each other's.",
    "GPU 분할은 개발·추론 용도입니다. 이 사이트에는 분할의 코어·메모리 제한이 없어 같은 GPU를 쓰는 작업끼리 영향을 줄 수 "
    "있습니다.",
)
"""(English, Korean)."""
_PLAN = TypeAdapter(Plan)
_NOBODY = "nobody"
_PREVIEW_ID = "W-PREVIEW"
_PREVIEW_DIGEST = "sha256:" + "0" * 64
_PREVIEW_COMMAND = "(the image's own command)"


@dataclass(frozen=True)
class PlanPreview:
    """A plan as people and programs read it; `scripts` (one a Slurm job) only where they were asked for."""

    plan: dict[str, Any]
    words_ko: tuple[str, ...]
    words_en: tuple[str, ...]
    scripts: tuple[str, ...] = ()


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as JSON, as rows and the API carry it."""
    document: dict[str, Any] = _PLAN.dump_python(plan, mode="json")
    return document


def plan_of(document: Mapping[str, Any]) -> Plan:
    """The plan of a stored document."""
    return _PLAN.validate_python(document)


def plan_words(plan: Plan, spec: AppSpec, settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(English, Korean): the plan in words, and of shares what they are for and what keeps them to their part."""
    english, korean = explain(plan, names_of(spec))
    if not any(group.shards for job in plan.jobs for group in job.groups):
        return tuple(english), tuple(korean)
    en, ko = SHARES_LIMITED if settings.sharing.library else SHARES_FREE
    return (*english, en), (*korean, ko)


async def preview(
    session: AsyncSession,
    settings: Settings,
    spec: AppSpec,
    *,
    form: Form = "auto",
    smallest: bool = False,
    account: str | None = None,
    time_limit_min: int | None = None,
    with_scripts: bool = False,
) -> PlanPreview:
    """What would run where. Raises Unavailable before the first snapshot, Invalid where no plan exists (each step named)."""
    inventory = await cluster.inventory(session, settings)
    if not inventory:
        raise Unavailable(
            "no_snapshot",
            "Slurm has not been read yet, so its nodes are unknown. Try again in a few seconds.",
            "아직 Slurm 상태를 읽지 못해 노드를 알 수 없습니다. 잠시 후 다시 시도하세요.",
        )
    request = await _request(
        session, settings, spec, form=form, smallest=smallest, account=account, time_limit_min=time_limit_min
    )
    plan = _plan(request, inventory, settings)
    words_en, words_ko = plan_words(plan, spec, settings)
    scripts = _scripts(request, inventory, settings) if with_scripts else ()
    return PlanPreview(plan_document(plan), words_ko, words_en, scripts)


async def check_fit(
    session: AsyncSession,
    settings: Settings,
    spec: AppSpec,
    inventory: tuple[NodeClass, ...],
    *,
    form: Form,
    smallest: bool,
    account: str | None,
    time_limit_min: int,
) -> None:
    """What `preview` finds out, without its words. Raises Invalid where no plan exists."""
    request = await _request(
        session, settings, spec, form=form, smallest=smallest, account=account, time_limit_min=time_limit_min
    )
    _plan(request, inventory, settings)


async def _request(
    session: AsyncSession,
    settings: Settings,
    spec: AppSpec,
    *,
    form: Form,
    smallest: bool,
    account: str | None,
    time_limit_min: int | None,
) -> RunRequest:
    return RunRequest(
        workload=_PREVIEW_ID,
        attempt=1,
        spec=spec,
        owner=_NOBODY,
        account=account or "",
        place=PriorityScale.of(settings).place(Level.NORMAL, 0),
        time_limit_min=time_limit_min or settings.policy.time_limit_min,
        form=form,
        smallest=smallest,
        expected_s=await expected_durations(session, spec),
    )


def _plan(request: RunRequest, inventory: tuple[NodeClass, ...], settings: Settings) -> Plan:
    site = site_policy(settings)
    try:
        return plan_run(request, step_graph(request.spec, site.cpus), inventory, site)
    except PlanError as error:
        raise no_plan(request.spec, error) from error


def _scripts(request: RunRequest, inventory: tuple[NodeClass, ...], settings: Settings) -> tuple[str, ...]:
    """The batch scripts as they would be, with stand-ins for digests, SIFs and the images' own commands."""
    found = {component.image.reference for _path, _task, component in components_of(request.spec)}
    pinned = replace(request, spec=resolve(request.spec, dict.fromkeys(found, _PREVIEW_DIGEST)))
    image = RunnableImage(f"{settings.storage.images}/preview.sif", ImageConfig(entrypoint=(_PREVIEW_COMMAND,)))
    images = {
        component.image.digest or _PREVIEW_DIGEST: image for _path, _task, component in components_of(pinned.spec)
    }
    return tuple(job.script for job in compile_run(pinned, inventory, images, site_policy(settings)).jobs)


def gpus_of_job(job: Mapping[str, Any]) -> dict[str, int]:
    """Label -> GPUs that one job of a plan's document holds in all its groups."""
    found: dict[str, int] = {}
    for group in job["groups"]:
        if group["gpu_type"] and group["gpus"]:
            found[group["gpu_type"]] = found.get(group["gpu_type"], 0) + group["gpus"] * group["nodes"]
    return found


def gpus_of_plan(plan: Mapping[str, Any]) -> dict[str, int]:
    """Label -> the most GPUs that one job of a plan's document holds; empty before there is a plan."""
    found: dict[str, int] = {}
    for job in plan.get("jobs", ()):
        for label, count in gpus_of_job(job).items():
            found[label] = max(found.get(label, 0), count)
    return found


def names_of(spec: AppSpec) -> dict[str, str]:
    """Step id -> the component's name, for sentences."""
    return {f"{task.task_id}/{component.id}": component.name for _path, task, component in components_of(spec)}


def no_plan(spec: AppSpec, error: PlanError) -> Invalid:
    """The refusal that names every step, resource and the largest node, at its place in the spec."""
    paths = {f"{task.task_id}/{component.id}": path for path, task, component in components_of(spec)}
    problems = [
        Problem(
            f"{paths[found.step]}.resources" if found.step in paths else "$",
            "no_plan",
            found.message_ko,
            found.message_en,
            "가장 큰 노드에 맞게 줄이거나 다른 GPU 유형을 고르세요.",
            "Ask for what the largest node has, or choose another GPU type.",
        )
        for found in error.problems
    ]
    return Invalid("no_plan", "It cannot be placed on this cluster.", "이 클러스터에 배치할 수 없습니다.", problems)


async def expected_durations(session: AsyncSession, spec: AppSpec) -> Mapping[str, float]:
    """Step id -> median seconds of the newest runs of the same component; steps without history are absent."""
    components = {component.component_id for _path, _task, component in components_of(spec)}
    return durations_of(spec, await usual_durations(session, components))


async def usual_durations(session: AsyncSession, component_ids: Collection[str]) -> dict[str, float]:
    """Component id -> median seconds of its newest runs; those without history are absent."""
    newest = func.row_number().over(partition_by=DurationSample.component_id, order_by=DurationSample.id.desc())
    ranked = (
        select(DurationSample.component_id, DurationSample.seconds, newest.label("age"))
        .where(DurationSample.component_id.in_(component_ids))
        .subquery()
    )
    query = select(ranked.c.component_id, ranked.c.seconds).where(ranked.c.age <= SAMPLES_A_COMPONENT)
    samples: dict[str, list[float]] = defaultdict(list)
    for component_id, seconds in await session.execute(query):
        samples[component_id].append(seconds)
    return {component_id: statistics.median(values) for component_id, values in samples.items()}


def durations_of(spec: AppSpec, usual: Mapping[str, float]) -> dict[str, float]:
    """Step id -> its component's usual seconds, where they are known."""
    steps = {f"{task.task_id}/{component.id}": component.component_id for _path, task, component in components_of(spec)}
    return {step: usual[component_id] for step, component_id in steps.items() if component_id in usual}
