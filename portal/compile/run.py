"""A resolved spec and a request -> the plan, the runner jobs, the batch scripts and the submissions; pure.

run = compile_run(request, inventory, images, site)
for job in run.jobs: for_hand_over(job.submission, JobMark(...), predecessors=...)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from containers.errors import ContainersError
from containers.runtime import Mount, exec_argv
from portal.compile.request import (
    MAX_SCRIPT_BYTES,
    CompiledJob,
    CompiledRun,
    ImageMissing,
    ImageUnusable,
    RunnableImage,
    RunRequest,
    ScriptTooLarge,
    SitePolicy,
)
from portal.compile.shares import ShareLimit, limit_of
from portal.compile.steps import step_graph, step_id
from portal.compile.testrun import reduced
from portal.spec.graph import components_of
from portal.spec.limits import READY_TIMEOUT_S
from portal.spec.load import dump_spec
from portal.spec.models import AppSpec, Component, Task
from portal.spec.rules import param_text, param_variable
from portal.spec.values import ready_file_path
from slurm.graph import Edge, Step, StepGraph
from slurm.inventory import NodeClass, usable_by
from slurm.plan import Form, Group, Plan, PlannedJob, make_plan
from slurm.runnerjob import After, ContainerCommand, Input, Ready, RunnerGroup, RunnerJob, RunnerStep
from slurm.script import batch_script
from slurm.submission import Component as SubmissionComponent
from slurm.submission import Submission

CUDA_VARIABLE = "CUDA_VISIBLE_DEVICES"
PLANS_KEPT = 64


def compile_run(
    request: RunRequest,
    inventory: Sequence[NodeClass],
    images: Mapping[str, RunnableImage],
    site: SitePolicy,
    *,
    plan: Plan | None = None,
) -> CompiledRun:
    """Plan a run on `inventory` and write down everything that Slurm and the runner need.

    `images` maps digests to converted images; `plan` is the stored plan of a run of which Slurm may have a part already,
    so that the rest is made of the same one. Raises slurm.errors.PlanError, ImageMissing, ImageUnusable and ScriptTooLarge.
    """
    spec = reduced(request.spec, request.test) if request.test else request.spec
    graph = step_graph(spec, site.cpus)
    plan = plan or plan_run(request, graph, inventory, site)
    run_dir = f"{site.runs}/{request.owner}/{request.workload}/a{request.attempt}"
    compiler = _Compiler(request, spec, graph, plan, images, site, run_dir, tuple(inventory))
    return CompiledRun(plan, run_dir, tuple(compiler.job(index) for index in range(len(plan.jobs))))


def plan_run(request: RunRequest, graph: StepGraph, inventory: Sequence[NodeClass], site: SitePolicy) -> Plan:
    """The plan of a request, on the nodes that its account, QOS and time limit may use. Raises slurm.errors.PlanError.

    A test is one job: its runner runs the graph as often as asked.
    """
    usable = usable_by(inventory, account=request.account, qos=request.place.qos, time_limit_min=request.time_limit_min)
    return _made_plan(
        graph,
        usable,
        "together" if request.test else request.form,
        tuple(sorted(request.expected_s.items())),
        request.smallest,
        site.held_over_used,
        site.runner_memory_mib,
    )


@functools.lru_cache(maxsize=PLANS_KEPT)
def _made_plan(
    graph: StepGraph,
    usable: tuple[NodeClass, ...],
    form: Form,
    expected_s: tuple[tuple[str, float], ...],
    smallest: bool,
    held_over_used: float,
    runner_memory_mib: int,
) -> Plan:
    """The same graph on the same nodes has the same plan: an App that is run again and again is planned once."""
    return make_plan(
        graph,
        usable,
        form=form,
        expected_s=dict(expected_s) or None,
        held_over_used=held_over_used,
        smallest=smallest,
        runner_memory_mib=runner_memory_mib,
    )


@dataclass(frozen=True)
class _Compiler:
    """Everything that the jobs of one run have in common."""

    request: RunRequest
    spec: AppSpec
    graph: StepGraph
    plan: Plan
    images: Mapping[str, RunnableImage]
    site: SitePolicy
    run_dir: str
    inventory: tuple[NodeClass, ...]

    def job(self, index: int) -> CompiledJob:
        """Job `index` of the plan. Raises ScriptTooLarge."""
        planned = self.plan.jobs[index]
        runner_job = self._runner_job(index, planned)
        script = batch_script(runner_job)
        size = len(script.encode())
        if size > MAX_SCRIPT_BYTES:
            raise ScriptTooLarge(index, size)
        return CompiledJob(index, runner_job, script, self._submission(index, planned, script), planned.after_jobs)

    def _runner_job(self, index: int, planned: PlannedJob) -> RunnerJob:
        request, test = self.request, self.request.test
        return RunnerJob(
            workload=request.workload,
            attempt=request.attempt,
            job_index=index,
            app_id=self.spec.app_id,
            run_dir=self.run_dir,
            checkpoint_dir=f"{self.site.runs}/{request.owner}/{request.workload}/checkpoint",
            scratch=str(self.site.scratch),
            groups=tuple(
                self._runner_group(group, self.site.runner_memory_mib if number == 0 else 0)
                for number, group in enumerate(planned.groups)
            ),
            steps=self._runner_steps(planned),
            config=self._config(),
            env=self._environment(),
            apptainer=self.site.apptainer,
            iterations=test.iterations if test else 1,
            is_test=test is not None,
            resume=request.resume or request.resume_from is not None,
            resume_from=request.resume_from,
        )

    def _runner_group(self, group: Group, runner_memory_mib: int) -> RunnerGroup:
        return RunnerGroup(
            gres_type=group.gres_type,
            gpus=group.gpus,
            shards=group.shards,
            cpus=group.cpus,
            memory_mib=group.memory_mib - runner_memory_mib,
            nodes=group.nodes,
            released_after=group.released_after,
        )

    def _config(self) -> dict[str, Any]:
        """app.json, and training.json with its defaults written out; an analysis sees those of the run that it looks at."""
        spec = self.request.analysed.spec if self.request.analysed else self.request.spec
        config = spec.training_config
        return {"app": dump_spec(spec), "training": None if config is None else config.model_dump(mode="json")}

    def _environment(self) -> dict[str, str]:
        """The App's variables and ONE_EPISODES; "all GPUs of this step" is what the launcher sets anyway."""
        env = {name: value for name, value in self.spec.env_vars.items() if name != CUDA_VARIABLE}
        if self.request.analysed is not None:
            env |= self.request.analysed.env
        training = self.spec.training_config
        episodes = training.episodes if training else None
        if self.request.test is not None:
            episodes = self.request.test.episodes
        return env if episodes is None else {**env, "ONE_EPISODES": str(episodes)}

    def _runner_steps(self, planned: PlannedJob) -> tuple[RunnerStep, ...]:
        """The job's steps, in each group in the order in which the plan wants them started."""
        parts = {step_id(task.task_id, part.id): (task, part) for _path, task, part in components_of(self.spec)}
        demands = {step.id: step for step in self.graph.steps}
        return tuple(
            self._runner_step(demands[name], *parts[name], number, planned)
            for number, group in enumerate(planned.groups)
            for name in group.steps
        )

    def _runner_step(self, demand: Step, task: Task, part: Component, number: int, planned: PlannedJob) -> RunnerStep:
        has_gpu = bool(demand.gpus or demand.shards)
        before = [edge for edge in self.graph.edges if edge.after == demand.id]
        limit = limit_of(demand.shards, planned.groups[number], self.inventory, self.site.shares)
        return RunnerStep(
            id=demand.id,
            task_id=task.task_id,
            node_id=part.id,
            group=number,
            nodes=demand.nodes,
            cpus=demand.cpus,
            memory_mib=demand.memory_mib,
            gpus=demand.gpus,
            shards=demand.shards,
            gres_type=planned.groups[number].gres_type if has_gpu else None,
            container=self._container(demand.id, part, has_gpu, limit),
            after=self._after(demand.id, before, planned),
            inputs=self._inputs(before, task.task_id),
            service=part.service,
            ready=_ready(part),
            ready_timeout_s=float(part.ready.timeout_s if part.ready else READY_TIMEOUT_S),
            retries=part.retries,
            time_limit_s=part.resources.time_limit_s,
            params=part.params,
            env={param_variable(name): param_text(value) for name, value in part.params.items()} | dict(limit.env),
        )

    def _after(self, step: str, before: Sequence[Edge], planned: PlannedJob) -> tuple[After, ...]:
        """The edges inside this job (Slurm's dependency stands for the others), then the plan's own order."""
        here = {name for group in planned.groups for name in group.steps}
        edges = [After(edge.before, edge.when) for edge in before if edge.before in here]
        known = {edge.step for edge in edges}
        order = [After(first, "begun") for first, second in planned.waits if second == step and first not in known]
        return (*edges, *order)

    def _inputs(self, before: Sequence[Edge], task_id: str) -> tuple[Input, ...]:
        """Predecessors of the same Task by node id, those of Tasks before by TASK/NODE."""
        own = f"{task_id}/"
        return tuple(Input(edge.before, edge.before.removeprefix(own)) for edge in before)

    def _container(self, step: str, part: Component, has_gpu: bool, limit: ShareLimit) -> ContainerCommand:
        digest = part.image.digest or ""
        if digest not in self.images:
            raise ImageMissing(step, digest)
        image = self.images[digest]
        storage = self.spec.storage
        mounts: tuple[Mount, ...] = () if storage is None else (Mount(storage.path, storage.path, read_only=True),)
        if self.request.analysed is not None:
            mounts += self.request.analysed.mounts
        try:
            container = exec_argv(
                image.sif,
                image.config,
                command=part.command,
                args=part.args,
                gpus=has_gpu,
                mounts=(*mounts, *limit.mounts),
                folders=limit.folders,
            )
        except ContainersError as error:
            raise ImageUnusable(step, part.image.reference, str(error)) from error
        return ContainerCommand(container.options, container.command)

    def _submission(self, index: int, planned: PlannedJob, script: str) -> Submission:
        request = self.request
        return Submission(
            owner=request.owner,
            script=script,
            working_directory=str(self.site.runs),
            output=f"{self.site.runs}/.out/{request.workload}-a{request.attempt}-j{index}.log",
            environment=(f"PATH={self.site.path}", "LANG=C.UTF-8"),
            components=tuple(self._component(group) for group in planned.groups),
        )

    def _component(self, group: Group) -> SubmissionComponent:
        return SubmissionComponent(
            name="",
            account=self.request.account,
            partition=group.partition,
            qos=self.request.place.qos,
            nice=self.request.place.nice,
            nodes=group.nodes,
            cpus=group.cpus,
            memory_mib=group.memory_mib,
            gres=gres_text(group),
            constraint=group.constraint,
            time_limit_min=self.request.time_limit_min,
            comment="",
            wckey="",
            hold=self.request.held,
        )


def gres_text(group: Group) -> str:
    """What one node of the group gives: "gpu:A100:4", "gpu:2" (GPUs without a type), "shard:8" or ""."""
    if group.gpus:
        return f"gpu:{group.gres_type}:{group.gpus}" if group.gres_type else f"gpu:{group.gpus}"
    return f"shard:{group.shards}" if group.shards else ""


def _ready(part: Component) -> Ready | None:
    if part.ready is None:
        return None
    if part.ready.file is not None:
        return Ready(file=ready_file_path(part.ready.file))
    return Ready(port=part.ready.port)
