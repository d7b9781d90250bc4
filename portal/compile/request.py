"""What a run is compiled from: the request, the site, the images; and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from containers.image import ImageConfig
from portal.compile.analysis import AnalysedRun
from portal.compile.shares import SharePolicy
from portal.compile.steps import CpuPolicy
from portal.compile.testrun import TestRun
from portal.domain.priority import Place
from portal.spec.models import AppSpec
from slurm.plan import Form, Plan
from slurm.runnerjob import RunnerJob
from slurm.submission import Submission

MAX_SCRIPT_BYTES = 3_500_000
"""Slurm takes scripts of about 4 MB (measured on 26.05.5: 5 MB is refused as error 2012)."""


class CompileError(Exception):
    """A run that cannot be compiled although its spec is valid."""


class ScriptTooLarge(CompileError):
    """The batch script of job `job` would have `size` bytes, more than Slurm takes."""

    def __init__(self, job: int, size: int) -> None:
        super().__init__(
            f"the batch script of job {job} has {size} bytes, Slurm takes {MAX_SCRIPT_BYTES}: "
            "move large values of the spec to files in the storage"
        )
        self.job = job
        self.size = size


class ImageMissing(CompileError):
    """No runnable image is known for the digest of `step`."""

    def __init__(self, step: str, digest: str) -> None:
        super().__init__(f"the image {digest} of {step} is not converted")
        self.step = step
        self.digest = digest


class ImageUnusable(CompileError):
    """The image of `step` cannot run as the spec has it."""

    def __init__(self, step: str, image: str, why: str) -> None:
        super().__init__(f"{step}: {why}")
        self.step = step
        self.image = image


@dataclass(frozen=True)
class RunnableImage:
    """A converted image: the absolute path of its SIF and what it runs by itself."""

    sif: str
    config: ImageConfig


@dataclass(frozen=True)
class SitePolicy:
    """What the site decides about runs: folders on the shared file system, scratch on the nodes, CPUs, plans, GPU shares."""

    runs: PurePosixPath
    scratch: PurePosixPath
    cpus: CpuPolicy
    held_over_used: float = 2.5
    runner_memory_mib: int = 512
    apptainer: str = "apptainer"
    path: str = "/usr/local/bin:/usr/bin:/bin"
    shares: SharePolicy = field(default_factory=SharePolicy)


@dataclass(frozen=True)
class RunRequest:
    """One attempt of a workload. `spec` is resolved; `owner` is the Unix user; `test` is set for tests only.

    `place` is QOS and nice; `time_limit_min` the whole workload's; `form` and `smallest` the applicant's wishes.
    `resume_from` is the folder of another run's checkpoints that this one begins with; `analysed` the run that an analysis
    looks at.
    """

    workload: str
    attempt: int
    spec: AppSpec
    owner: str
    account: str
    place: Place
    time_limit_min: int
    form: Form = "auto"
    smallest: bool = False
    held: bool = False
    resume: bool = False
    resume_from: str | None = None
    test: TestRun | None = None
    analysed: AnalysedRun | None = None
    expected_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CompiledJob:
    """One Slurm job of a run. `submission` lacks what is known only at hand-over: see `compile.handover`."""

    index: int
    runner_job: RunnerJob
    script: str
    submission: Submission
    after_jobs: tuple[int, ...]


@dataclass(frozen=True)
class CompiledRun:
    """The plan and its jobs, in the order in which they are submitted."""

    plan: Plan
    run_dir: str
    jobs: tuple[CompiledJob, ...]
