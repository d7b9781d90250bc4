"""The words of a plan, compared whole."""

from __future__ import annotations

from slurm.graph import Step, StepGraph
from slurm.plan import make_plan
from slurm.plan.explain import explain
from tests.slurm.plan.graphs import EXAMPLE_STEPS, GIB, LAB, example

NAMES = dict(
    zip(
        (step.id for step in EXAMPLE_STEPS),
        ("env-simulator", "rl-agent", "reward-calc", "param-optimizer", "data-loader"),
        strict=True,
    )
)


def test_the_example_in_words() -> None:
    english, korean = explain(make_plan(example(), LAB), NAMES)
    assert english == [
        "5 components on 2 nodes: A100 x 4 -> V100 x 1. One Slurm hetjob, 2 groups. Why: one job is expected to hold 2.1 "
        "times the GPU time that it uses, within the site's limit of 2.5; nothing waits in the middle (durations are not "
        "known yet and taken as equal).",
        "  group 0: V100 x 1, 2 CPUs, 32GB, partition v100: reward-calc, data-loader; kept to the end",
        "  group 1: A100 x 4, 8 CPUs, 128GB, partition a100: env-simulator, rl-agent, param-optimizer; given back after "
        "param-optimizer",
    ]
    assert korean == [
        "컴포넌트 5개를 노드 2대에서: A100 4기 묶음 → V100 1기. 한 Slurm hetjob, 묶음 2개. 이유: 한 작업으로 잡아도 사용하는 GPU "
        "시간의 2.1배로 한도 2.5배 안이며, 중간에 기다리지 않습니다 (실행 시간 기록이 부족해 같다고 보았습니다).",
        "  묶음 0: V100 1기, CPU 2, 32GB, 파티션 v100: reward-calc, data-loader; 끝까지 유지",
        "  묶음 1: A100 4기, CPU 8, 128GB, 파티션 a100: env-simulator, rl-agent, param-optimizer; param-optimizer 종료 후 반납",
    ]


def test_jobs_that_follow_each_other_in_words() -> None:
    english, korean = explain(make_plan(example(), LAB, form="staged"), NAMES)
    assert english[0].startswith(
        "5 components on 2 nodes a job at most: A100 x 4 -> V100 x 1; A100 x 2 -> V100 x 1. 2 Slurm jobs that follow each other, "
        "4 groups. Why: you asked for it cut into jobs that follow each other"
    )
    assert [line for line in english if line.startswith("Job")] == ["Job 1, at once:", "Job 2, after job 1:"]
    assert [line for line in korean if line.startswith("작업 ")] == ["작업 1 (바로 시작):", "작업 2 (작업 1 다음):"]


def test_one_step_without_gpu_on_two_nodes_and_one_with_shares() -> None:
    english, korean = explain(make_plan(StepGraph((Step("a", 1, GIB, nodes=2),)), LAB), {})
    assert english[0].startswith("1 component on 2 nodes: no GPU. One Slurm job, 1 group. Why: ")
    assert english[1] == "  group 0: no GPU, 1 CPU, 1GB on each of 2 nodes, partition a100: a; kept to the end"
    assert korean[1] == "  묶음 0: GPU 없음, CPU 1, 1GB (노드 2대에 각각), 파티션 a100: a; 끝까지 유지"
    english, korean = explain(make_plan(StepGraph((Step("a", 1, GIB, "V100", shards=1),)), LAB), {})
    assert "V100 1 share," in english[1]
    assert "V100 공유 1조각," in korean[1]


def test_every_reason_is_said_in_both_languages() -> None:
    wide = StepGraph(tuple(Step(f"s{i}", 1, GIB, "A100", 8) for i in range(3)))
    plans = [
        make_plan(example(), LAB),
        make_plan(example(), LAB, form="together"),
        make_plan(example(), LAB, held_over_used=1.6),
        make_plan(example(), LAB, smallest=True),
        make_plan(example(), LAB, expected_s=dict.fromkeys(NAMES, 60.0)),
        make_plan(wide, LAB),
    ]
    assert len({plan.reason_en for plan in plans}) == len(plans)
    assert len({plan.reason_ko for plan in plans}) == len(plans)
