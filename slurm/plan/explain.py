"""A plan in plain words, English and Korean, for people who are about to submit it."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.plan import Group, Plan, PlannedJob
from slurm.units import memory_text


def explain(plan: Plan, names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The plan in words: one line for the whole with the reason, then one for every group, in English and in Korean.

    `names` gives the name shown for a step id; a step without one is shown by its id.
    """
    english = [_whole_en(plan)]
    korean = [_whole_ko(plan)]
    for j, job in enumerate(plan.jobs):
        if len(plan.jobs) > 1:
            english.append(_job_en(j, job))
            korean.append(_job_ko(j, job))
        for k, group in enumerate(job.groups):
            english.append(_group_en(k, group, names))
            korean.append(_group_ko(k, group, names))
    return english, korean


def _whole_en(plan: Plan) -> str:
    steps, nodes = _counts(plan)
    groups = sum(len(job.groups) for job in plan.jobs)
    where = _plural(nodes, "node") + (" a job at most" if len(plan.jobs) > 1 else "")
    form = "One Slurm hetjob" if groups > 1 else "One Slurm job"
    if len(plan.jobs) > 1:
        form = f"{len(plan.jobs)} Slurm jobs that follow each other"
    chain = "; ".join(" -> ".join(_gpus_en(group) for group in _by_release(job)) for job in plan.jobs)
    return (
        f"{_plural(steps, 'component')} on {where}: {chain}. {form}, {_plural(groups, 'group')}. Why: {plan.reason_en}."
    )


def _whole_ko(plan: Plan) -> str:
    steps, nodes = _counts(plan)
    groups = sum(len(job.groups) for job in plan.jobs)
    where = ("작업마다 최대 " if len(plan.jobs) > 1 else "") + f"노드 {nodes}대에서"
    form = "한 Slurm hetjob" if groups > 1 else "한 Slurm 작업"
    if len(plan.jobs) > 1:
        form = f"이어지는 Slurm 작업 {len(plan.jobs)}개"
    chain = "; ".join(" 묶음 → ".join(_gpus_ko(group) for group in _by_release(job)) for job in plan.jobs)
    return f"컴포넌트 {steps}개를 {where}: {chain}. {form}, 묶음 {groups}개. 이유: {plan.reason_ko}"


def _job_en(j: int, job: PlannedJob) -> str:
    after = ", ".join(str(before + 1) for before in job.after_jobs)
    return f"Job {j + 1}" + (f", after job {after}:" if after else ", at once:")


def _job_ko(j: int, job: PlannedJob) -> str:
    after = ", ".join(str(before + 1) for before in job.after_jobs)
    return f"작업 {j + 1}" + (f" (작업 {after} 다음):" if after else " (바로 시작):")


def _group_en(k: int, group: Group, names: Mapping[str, str]) -> str:
    nodes = "" if group.nodes == 1 else f" on each of {group.nodes} nodes"
    until = "kept to the end" if k == 0 else f"given back after {_named(group.released_after, names)}"
    return (
        f"  group {k}: {_gpus_en(group)}, {_plural(group.cpus, 'CPU')}, {memory_text(group.memory_mib)}{nodes}, "
        f"partition {group.partition}: {_named(group.steps, names)}; {until}"
    )


def _group_ko(k: int, group: Group, names: Mapping[str, str]) -> str:
    nodes = "" if group.nodes == 1 else f" (노드 {group.nodes}대에 각각)"
    until = "끝까지 유지" if k == 0 else f"{_named(group.released_after, names)} 종료 후 반납"
    return (
        f"  묶음 {k}: {_gpus_ko(group)}, CPU {group.cpus}, {memory_text(group.memory_mib)}{nodes}, "
        f"파티션 {group.partition}: {_named(group.steps, names)}; {until}"
    )


def _counts(plan: Plan) -> tuple[int, int]:
    """Steps in all, and nodes of the job that needs most."""
    steps = sum(len(group.steps) for job in plan.jobs for group in job.groups)
    return steps, max(sum(group.nodes for group in job.groups) for job in plan.jobs)


def _by_release(job: PlannedJob) -> tuple[Group, ...]:
    """The groups in the order in which they are given back: the one that stays to the end comes last."""
    return (*job.groups[1:], job.groups[0])


def _gpus_en(group: Group) -> str:
    if group.shards:
        return f"{group.gpu_type} {_plural(group.shards, 'share')}"
    return f"{group.gpu_type} x {group.gpus}" if group.gpus else "no GPU"


def _gpus_ko(group: Group) -> str:
    if group.shards:
        return f"{group.gpu_type} 공유 {group.shards}조각"
    return f"{group.gpu_type} {group.gpus}기" if group.gpus else "GPU 없음"


def _named(steps: tuple[str, ...], names: Mapping[str, str]) -> str:
    return ", ".join(names.get(step, step) for step in steps)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
