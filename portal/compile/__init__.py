"""Resolved spec and request -> plan, runner jobs, batch scripts and submissions; pure.

resolve(spec, {"registry.avatar.io/env-sim:1.0": "sha256:..."}) -> AppSpec with digests
step_graph(spec, CpuPolicy) -> slurm.graph.StepGraph
compile_run(RunRequest, inventory, {digest: RunnableImage}, SitePolicy) -> CompiledRun(plan, run_dir, jobs)
for_hand_over(job.submission, JobMark(...), predecessors=[leader ids], time_limit_min=...) -> Submission
"""

from portal.compile.analysis import AnalysedRun
from portal.compile.handover import JobMark, dependency, for_hand_over
from portal.compile.request import (
    CompiledJob,
    CompiledRun,
    CompileError,
    ImageMissing,
    ImageUnusable,
    RunnableImage,
    RunRequest,
    ScriptTooLarge,
    SitePolicy,
)
from portal.compile.resolve import resolve
from portal.compile.run import compile_run, plan_run
from portal.compile.shares import SharePolicy, shards_per_gpu
from portal.compile.steps import CpuPolicy, step_graph, step_id
from portal.compile.testrun import TestRun, reduced, test_run_of

__all__ = [
    "AnalysedRun",
    "CompileError",
    "CompiledJob",
    "CompiledRun",
    "CpuPolicy",
    "ImageMissing",
    "ImageUnusable",
    "JobMark",
    "RunRequest",
    "RunnableImage",
    "ScriptTooLarge",
    "SharePolicy",
    "SitePolicy",
    "TestRun",
    "compile_run",
    "dependency",
    "for_hand_over",
    "plan_run",
    "reduced",
    "resolve",
    "shards_per_gpu",
    "step_graph",
    "step_id",
    "test_run_of",
]
