"""The threshold, the gate and the size of a test."""

from __future__ import annotations

from typing import Any

import pytest

from portal.domain.approval import (
    StepSize,
    TestFacts,
    TestStatus,
    TestTooLarge,
    Thresholds,
    approval_reasons,
    approval_sentence,
    approve_refusal,
    default_sizes,
    reject_refusal,
    sizes_for_test,
    test_refusal,
)
from portal.spec.load import load_spec
from portal.spec.models import AppSpec
from tests.spec.build import app, component, task

SITE = Thresholds(gpus=4, memory_mib=128 * 1024)
GIB = 1024


def spec(**resources: Any) -> AppSpec:
    return load_spec(app(task("T", [component("A", resources={"memory": "1GB", **resources})]))).spec


def reasons(**resources: Any) -> list[tuple[str, str]]:
    return [(reason.resource, reason.asked) for reason in approval_reasons(spec(**resources), SITE, {"A100": 8})]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"gpu_type": "A100", "gpu_count": 3, "memory": "127GB"}, []),
        ({"gpu_type": "A100", "gpu_count": 4}, [("gpu", "4")]),
        ({"memory": "128GB"}, [("memory", "128GB")]),
        ({"memory": "131071MB"}, []),
        ({"gpu_type": "A100", "gpu_count": 2, "nodes": 2}, [("gpu", "4")]),
        ({"memory": "64GB", "nodes": 2}, [("memory", "128GB")]),
        ({"gpu_type": "A100", "gpu_shards": 4, "nodes": 7}, []),
        ({"gpu_type": "A100", "gpu_shards": 4, "nodes": 8}, [("gpu", "4")]),
        ({"gpu_type": "A100", "gpu_shards": 5, "nodes": 8}, [("gpu", "5")]),
        ({"gpu_type": "A100", "gpu_shards": 9, "nodes": 4}, [("gpu", "4")]),
        ({"gpu_type": "other", "gpu_shards": 1, "nodes": 4}, [("gpu", "4")]),
        ({"gpu_type": "A100", "gpu_count": 8, "memory": "1TB"}, [("gpu", "8"), ("memory", "1024GB")]),
    ],
)
def test_threshold(resources: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert reasons(**resources) == expected


def test_sums_over_components_never_matter() -> None:
    part = {"memory": "100GB", "gpu_type": "A100", "gpu_count": 3}
    many = load_spec(app(task("T", [component("A", resources=part), component("B", resources=part)]))).spec
    assert approval_reasons(many, SITE) == ()


def test_badge_and_sentence_in_the_words_of_the_pages() -> None:
    gpu, memory = approval_reasons(spec(gpu_type="A100", gpu_count=4, memory="128GB"), SITE)
    assert gpu.text_ko == "승인 필요: GPU 4 ≥ 임계치 4"
    assert gpu.text_en == "Needs approval: GPU 4 ≥ threshold 4"
    assert memory.text_ko == "승인 필요: 메모리 128GB ≥ 임계치 128GB"
    assert memory.text_en == "Needs approval: memory 128GB ≥ threshold 128GB"
    assert (gpu.step, gpu.short_en) == ("T/A", "A GPU 4")
    assert approval_sentence((gpu, memory)) == (
        "승인 필요: A GPU 4 ≥ 4, 메모리 128GB ≥ 128GB. 최소 실행 테스트를 통과해야 승인됩니다.",
        "Needs approval: A GPU 4 ≥ 4, memory 128GB ≥ 128GB. The minimal run test must pass first.",
    )
    assert approval_sentence(())[0] == "승인 불필요: 모든 컴포넌트가 임계치 미만이라 바로 대기열에 들어갑니다."


# Approving


def refused(test: TestFacts | None, reviewed: str = "h1") -> str | None:
    refusal = approve_refusal(spec_hash="h1", reviewed_hash=reviewed, test=test)
    return None if refusal is None else refusal.code


def test_only_a_passed_test_of_the_same_hash_opens_the_gate() -> None:
    assert refused(TestFacts(TestStatus.PASSED, "h1")) is None
    assert refused(TestFacts(TestStatus.PASSED, "h2")) == "test_required"
    assert refused(None) == "test_required"
    assert refused(TestFacts(TestStatus.PENDING, "h1")) == "test_required"
    assert refused(TestFacts(TestStatus.VOID, "h1")) == "test_required"
    assert refused(TestFacts(TestStatus.RUNNING, "h1")) == "test_running"
    assert refused(TestFacts(TestStatus.FAILED, "h1")) == "test_failed"
    assert refused(TestFacts(TestStatus.PASSED, "h1"), reviewed="h0") == "request_changed"


def test_texts_of_the_button() -> None:
    refusal = approve_refusal(spec_hash="h", reviewed_hash="h", test=None)
    assert refusal is not None
    assert (refusal.text_ko, refusal.text_en) == ("테스트 필요", "Test required")


@pytest.mark.parametrize(
    ("reason", "ok"), [("", False), (" " * 20, False), ("x" * 9, False), ("x" * 10, True), ("x" * 2001, False)]
)
def test_rejecting_needs_a_reason(reason: str, ok: bool) -> None:
    assert (reject_refusal(reason) is None) is ok


def test_when_a_test_may_start() -> None:
    under = test_refusal(needs_approval=False, test=None)
    assert under is not None
    assert under.code == "under_threshold"
    running = test_refusal(needs_approval=True, test=TestFacts(TestStatus.RUNNING, "h"))
    assert running is not None
    assert running.code == "test_running"
    assert test_refusal(needs_approval=True, test=TestFacts(TestStatus.FAILED, "h")) is None


# Size of a test


BIG = spec(gpu_type="A100", gpu_count=8, memory="256GB", nodes=2)
DEFAULTS = default_sizes(BIG, gpus=1, memory_mib=16 * GIB)


def wanted(size: StepSize, *, is_admin: bool = False) -> dict[str, StepSize]:
    return sizes_for_test(BIG, {"T/A": size}, defaults=DEFAULTS, thresholds=SITE, is_admin=is_admin)


def test_default_size() -> None:
    assert {"T/A": StepSize(gpus=1, shards=0, memory_mib=16 * GIB, nodes=1)} == DEFAULTS
    small = default_sizes(spec(memory="2GB"), gpus=1, memory_mib=16 * GIB)
    assert small == {"T/A": StepSize(gpus=0, shards=0, memory_mib=2 * GIB)}
    assert sizes_for_test(BIG, {}, defaults=DEFAULTS, thresholds=SITE, is_admin=False) == DEFAULTS


def test_an_applicant_stays_just_below_the_threshold() -> None:
    assert wanted(StepSize(3, 0, 127 * GIB))["T/A"].gpus == 3
    with pytest.raises(TestTooLarge) as caught:
        wanted(StepSize(2, 0, 64 * GIB, nodes=2))
    assert [(p.step, p.resource, p.most) for p in caught.value.problems] == [
        ("T/A", "gpus", 3),
        ("T/A", "memory_mib", 128 * GIB - 1),
    ]


def test_an_admin_goes_up_to_the_full_request() -> None:
    assert wanted(StepSize(8, 0, 256 * GIB, nodes=2), is_admin=True)["T/A"].nodes == 2
    with pytest.raises(TestTooLarge):
        wanted(StepSize(9, 0, 256 * GIB, nodes=2), is_admin=True)


def test_unknown_steps_are_a_mistake() -> None:
    with pytest.raises(KeyError):
        sizes_for_test(BIG, {"T/X": StepSize(1, 0, 1)}, defaults=DEFAULTS, thresholds=SITE, is_admin=True)
