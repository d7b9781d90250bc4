"""The gate: what needs an approval and why, what a minimal run test may ask for, and when approving is possible.

Decisions D11 (threshold), D14 and D15 (test of the same hash), design section 7 (size of a test).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from portal.spec.graph import components_of
from portal.spec.models import AppSpec, Resources
from slurm.units import memory_text

REASON_MIN_CHARS = 10
REASON_MAX_CHARS = 2000


class TestStatus(StrEnum):
    """loopTest's status; `void` is for history only (the spec changed)."""

    __test__ = False  # not a test class

    PENDING = "pending"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    VOID = "void"


@dataclass(frozen=True)
class Thresholds:
    """From which size of one component on an admin must approve: GPUs and memory (MiB), each times its nodes."""

    gpus: int
    memory_mib: int


@dataclass(frozen=True)
class ApprovalReason:
    """One component that reaches a threshold; `resource` is "gpu" or "memory", texts are the badge's."""

    step: str
    component: str
    resource: str
    asked: str
    threshold: str

    @property
    def text_ko(self) -> str:
        """`승인 필요: GPU 4 ≥ 임계치 4`."""
        return f"승인 필요: {self._name('메모리')} {self.asked} ≥ 임계치 {self.threshold}"

    @property
    def text_en(self) -> str:
        """`Needs approval: GPU 4 ≥ threshold 4`."""
        return f"Needs approval: {self._name('memory')} {self.asked} ≥ threshold {self.threshold}"

    @property
    def amount_ko(self) -> str:
        """`메모리 128GB ≥ 128GB`."""
        return f"{self._name('메모리')} {self.asked} ≥ {self.threshold}"

    @property
    def amount_en(self) -> str:
        """`memory 128GB ≥ 128GB`."""
        return f"{self._name('memory')} {self.asked} ≥ {self.threshold}"

    @property
    def short_ko(self) -> str:
        """`rl-agent GPU 4`, as the approvals list shows it."""
        return f"{self.component} {self._name('메모리')} {self.asked}"

    @property
    def short_en(self) -> str:
        """`rl-agent memory 128GB`."""
        return f"{self.component} {self._name('memory')} {self.asked}"

    def as_json(self) -> dict[str, str]:
        """As rows and the API carry it, with what lists show in both languages."""
        facts = {"step": self.step, "component": self.component, "resource": self.resource}
        texts = {"textKo": self.short_ko, "textEn": self.short_en}
        return {**facts, "asked": self.asked, "threshold": self.threshold, **texts}

    def _name(self, memory: str) -> str:
        return "GPU" if self.resource == "gpu" else memory


def approval_reasons(
    spec: AppSpec, thresholds: Thresholds, shards_per_gpu: Mapping[str, int] | None = None
) -> tuple[ApprovalReason, ...]:
    """Why this spec needs an approval; empty: it does not. Equal counts; sums over components never matter.

    `shards_per_gpu` says by GPU type into how many shares one GPU is cut; a share of an unknown type counts as a whole GPU.
    """
    return tuple(_reasons(spec, thresholds, shards_per_gpu or {}))


def _reasons(spec: AppSpec, thresholds: Thresholds, shards: Mapping[str, int]) -> Iterator[ApprovalReason]:
    for _path, task, component in components_of(spec):
        step, asked = f"{task.task_id}/{component.id}", component.resources
        gpus, memory_mib = gpu_total(asked, shards), asked.memory_mib * asked.nodes
        if gpus >= thresholds.gpus:
            yield ApprovalReason(step, component.name, "gpu", _number(gpus), str(thresholds.gpus))
        if memory_mib >= thresholds.memory_mib:
            limit = memory_text(thresholds.memory_mib)
            yield ApprovalReason(step, component.name, "memory", memory_text(memory_mib), limit)


def gpu_total(asked: Resources, shards_per_gpu: Mapping[str, int]) -> Fraction:
    """GPUs of one component over all its nodes; a share is its fraction of one."""
    per_node = Fraction(asked.gpu_count)
    if asked.gpu_shards:
        per_node = min(Fraction(1), Fraction(asked.gpu_shards, shards_per_gpu.get(asked.gpu_type or "", 1)))
    return per_node * asked.nodes


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def approval_sentence(reasons: tuple[ApprovalReason, ...]) -> tuple[str, str]:
    """(Korean, English): what a request will meet, in one line, as the Trainer and `one submit` say it."""
    if not reasons:
        return (
            "승인 불필요: 모든 컴포넌트가 임계치 미만이라 바로 대기열에 들어갑니다.",
            "Not needed: every component is under the threshold, so it is queued at once.",
        )
    names = [reason.component if reason.step != before else "" for reason, before in _with_step_before(reasons)]
    ko = ", ".join(f"{name} {reason.amount_ko}".strip() for name, reason in zip(names, reasons, strict=True))
    en = ", ".join(f"{name} {reason.amount_en}".strip() for name, reason in zip(names, reasons, strict=True))
    return (
        f"승인 필요: {ko}. 최소 실행 테스트를 통과해야 승인됩니다.",
        f"Needs approval: {en}. The minimal run test must pass first.",
    )


def _with_step_before(reasons: tuple[ApprovalReason, ...]) -> Iterator[tuple[ApprovalReason, str]]:
    """Each reason with the step of the one before: a component is named once."""
    return zip(reasons, ("", *(reason.step for reason in reasons)), strict=False)


@dataclass(frozen=True)
class Refusal:
    """Why something cannot be done now."""

    code: str
    text_ko: str
    text_en: str


@dataclass(frozen=True)
class TestFacts:
    """A minimal run test: its status and the hash it ran."""

    __test__ = False  # not a test class

    status: TestStatus
    spec_hash: str


_TEST_REFUSALS = {
    TestStatus.PENDING: Refusal("test_required", "테스트 필요", "Test required"),
    TestStatus.VOID: Refusal("test_required", "테스트 필요", "Test required"),
    TestStatus.RUNNING: Refusal("test_running", "테스트 실행 중", "Test running"),
    TestStatus.FAILED: Refusal("test_failed", "테스트 실패: 승인할 수 없습니다", "Test failed: cannot approve"),
}


def approve_refusal(*, spec_hash: str, reviewed_hash: str, test: TestFacts | None) -> Refusal | None:
    """Why this request cannot be approved now; None: it can.

    `reviewed_hash` is what the admin looked at. Only a passed test of exactly `spec_hash` opens the gate.
    """
    if reviewed_hash != spec_hash:
        return Refusal(
            "request_changed",
            "요청이 바뀌었습니다. 새 내용을 확인하세요.",
            "The request changed. Review it again.",
        )
    if test is None or test.spec_hash != spec_hash:
        return _TEST_REFUSALS[TestStatus.PENDING]
    return _TEST_REFUSALS.get(test.status)


def reject_refusal(reason: str) -> Refusal | None:
    """Why this is no reason for a rejection; None: it is one (10 to 2,000 characters)."""
    if REASON_MIN_CHARS <= len(reason.strip()) <= REASON_MAX_CHARS:
        return None
    return Refusal(
        "reason_length",
        f"반려 사유를 {REASON_MIN_CHARS}~{REASON_MAX_CHARS:,}자로 쓰세요.",
        f"Give a reason of {REASON_MIN_CHARS} to {REASON_MAX_CHARS:,} characters.",
    )


def test_refusal(*, needs_approval: bool, test: TestFacts | None) -> Refusal | None:
    """Why no minimal run test can be started for this request now; None: it can."""
    if not needs_approval:
        return Refusal(
            "under_threshold",
            "임계치 미만이라 최소 실행 테스트가 필요하지 않습니다.",
            "Under the threshold: the minimal run test does not apply.",
        )
    if test is not None and test.status is TestStatus.RUNNING:
        return _TEST_REFUSALS[TestStatus.RUNNING]
    return None


test_refusal.__test__ = False  # type: ignore[attr-defined]  # not a test


@dataclass(frozen=True)
class StepSize:
    """What one component gets in a test, per node; memory in MiB."""

    gpus: int
    shards: int
    memory_mib: int
    nodes: int = 1

    def as_json(self) -> dict[str, int]:
        """As it is stored and shown beside the test's result."""
        return {"gpus": self.gpus, "shards": self.shards, "memory_mib": self.memory_mib, "nodes": self.nodes}


@dataclass(frozen=True)
class SizeProblem:
    """A test size that may not be asked for: the step, the resource, the most that is allowed."""

    step: str
    resource: str
    asked: int
    most: int


class TestTooLarge(ValueError):
    """The wanted test is larger than the asker may make it; `problems` names each step and resource."""

    __test__ = False  # not a test class

    def __init__(self, problems: tuple[SizeProblem, ...]) -> None:
        super().__init__("; ".join(f"{p.step}: {p.resource} {p.asked} is more than {p.most}" for p in problems))
        self.problems = problems


def default_sizes(spec: AppSpec, *, gpus: int, memory_mib: int) -> dict[str, StepSize]:
    """Step id -> the size of a test by default: at most `gpus` GPUs and `memory_mib` MiB, on one node."""
    return {
        f"{task.task_id}/{component.id}": StepSize(
            gpus=min(component.resources.gpu_count, gpus),
            shards=component.resources.gpu_shards or 0,
            memory_mib=min(component.resources.memory_mib, memory_mib),
        )
        for _path, task, component in components_of(spec)
    }


def sizes_for_test(
    spec: AppSpec,
    wanted: Mapping[str, StepSize],
    *,
    defaults: Mapping[str, StepSize],
    thresholds: Thresholds,
    is_admin: bool,
) -> dict[str, StepSize]:
    """The sizes of a test: `wanted` where given, else `defaults`.

    An applicant may ask for less than the thresholds, an admin for the full request. Raises TestTooLarge, and KeyError
    for a step that the spec does not have.
    """
    full = {
        f"{task.task_id}/{component.id}": _full_size(component.resources)
        for _path, task, component in components_of(spec)
    }
    problems = [
        found
        for step, size in wanted.items()
        for found in _too_large(step, size, full[step], None if is_admin else thresholds)
    ]
    if problems:
        raise TestTooLarge(tuple(problems))
    return {step: wanted.get(step, defaults[step]) for step in full}


def _full_size(asked: Resources) -> StepSize:
    return StepSize(asked.gpu_count, asked.gpu_shards or 0, asked.memory_mib, asked.nodes)


def _too_large(step: str, size: StepSize, full: StepSize, below: Thresholds | None) -> Iterator[SizeProblem]:
    for resource in ("gpus", "shards", "memory_mib", "nodes"):
        asked, most = getattr(size, resource), getattr(full, resource)
        if asked > most:
            yield SizeProblem(step, resource, asked, most)
    if below is None:
        return
    if size.gpus * size.nodes >= below.gpus:
        yield SizeProblem(step, "gpus", size.gpus * size.nodes, below.gpus - 1)
    if size.memory_mib * size.nodes >= below.memory_mib:
        yield SizeProblem(step, "memory_mib", size.memory_mib * size.nodes, below.memory_mib - 1)
