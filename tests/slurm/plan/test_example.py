"""The specification's example: one hetjob, two groups, 2.1 times the GPU time used; whole plans are compared."""

from __future__ import annotations

from dataclasses import replace

from slurm.graph import Edge, Step, StepGraph
from slurm.plan import Group, PlannedJob, make_plan
from tests.slurm.plan.graphs import EXAMPLE_STEPS, GIB, LAB, chain, example

FIRST, SECOND, THIRD, FOURTH, LOADER = (step.id for step in EXAMPLE_STEPS)

V100_GROUP = Group("V100", "tesla_v100", "v100", "", 1, 0, 2, 32 * GIB + 512, 1, (THIRD, LOADER), (LOADER,))
A100_GROUP = Group("A100", "A100", "a100", "", 4, 0, 8, 128 * GIB, 1, (FIRST, SECOND, FOURTH), (FOURTH,))


def test_the_example_is_one_hetjob_of_two_groups() -> None:
    plan = make_plan(example(), LAB, runner_memory_mib=512)
    assert plan.form == "together"
    assert plan.jobs == (PlannedJob((V100_GROUP, A100_GROUP), ()),)
    assert plan.expected_held_over_used == 2.1


def test_auto_cuts_where_the_limit_is_lower() -> None:
    plan = make_plan(example(), LAB, held_over_used=1.6, runner_memory_mib=512)
    assert plan.form == "staged"
    assert [job.after_jobs for job in plan.jobs] == [(), (0,)]
    assert plan.expected_held_over_used == 1.5
    assert "2.1" in plan.reason_en
    assert "2.1" in plan.reason_ko


def test_history_decides_what_is_held() -> None:
    durations = dict.fromkeys((FIRST, SECOND, THIRD, FOURTH, LOADER), 60.0) | {SECOND: 3600.0}
    plan = make_plan(example(), LAB, expected_s=durations)
    assert plan.jobs[0].groups[0].gpu_type == "V100"
    used = 60 * 2 + 3600 * 4 + 60 + 60 * 2 + 60
    held = 4 * 3780 + 1 * 3840
    assert plan.expected_held_over_used == held / used


def test_parts_that_run_together_are_sized_together_and_never_cut_apart() -> None:
    simulator = Step("T/sim", 4, GIB, "V100", 1, service=True)
    agent = Step("T/agent", 4, GIB, "A100", 2)
    judge = Step("T/judge", 4, GIB, "A100", 1)
    last = Step("T/last", 4, GIB, "A100", 1)
    graph = StepGraph(
        (simulator, agent, judge, last),
        (Edge("T/sim", "T/agent", "started"), Edge("T/sim", "T/judge", "started"), Edge("T/agent", "T/last")),
    )
    together = make_plan(graph, LAB, form="together").jobs[0]
    assert sorted((group.gpu_type, group.gpus, group.steps) for group in together.groups) == [
        ("A100", 1, ("T/judge",)),
        ("A100", 2, ("T/agent", "T/last")),
        ("V100", 1, ("T/sim",)),
    ]
    staged = make_plan(graph, LAB, form="staged")
    homes = {step: j for j, job in enumerate(staged.jobs) for group in job.groups for step in group.steps}
    assert homes["T/sim"] == homes["T/agent"] == homes["T/judge"]


def test_a_step_without_gpu_joins_a_group_that_surely_outlives_it() -> None:
    train, check, save = Step("a", 4, GIB, "A100", 1), Step("b", 8, GIB), Step("c", 2, GIB, "A100", 1)
    plan = make_plan(chain((train, check, save)), LAB)
    (group,) = plan.jobs[0].groups
    assert group.steps == ("a", "b", "c")
    assert (group.gpus, group.cpus) == (1, 8)


def test_a_last_step_without_gpu_holds_no_gpu() -> None:
    plan = make_plan(chain((Step("a", 4, GIB, "A100", 4), Step("b", 8, GIB))), LAB)
    assert [(group.gpus, group.steps) for group in plan.jobs[0].groups] == [(0, ("b",)), (4, ("a",))]


def test_steps_on_several_nodes_have_a_group_of_as_many() -> None:
    plan = make_plan(StepGraph((Step("a", 4, GIB, "A100", 8, nodes=2),)), LAB)
    (group,) = plan.jobs[0].groups
    assert (group.gpus, group.nodes) == (8, 2)


def test_shares_form_groups_of_their_own_within_one_gpu() -> None:
    whole, part, other = (
        Step("a", 1, GIB, "V100", 1),
        Step("b", 1, GIB, "V100", shards=2),
        Step("c", 1, GIB, "V100", shards=2),
    )
    inventory = (replace(LAB[1], count=4),)
    plan = make_plan(StepGraph((whole, part, other), (Edge("a", "b"), Edge("a", "c"))), inventory, form="together")
    shares = [group for group in plan.jobs[0].groups if group.shards]
    assert sum(group.shards for group in shares) == 4
    assert all(group.gpus == 0 and group.shards <= 4 for group in shares)


def test_the_smallest_allocation_takes_turns() -> None:
    steps = tuple(Step(f"s{i}", 2, GIB, "A100", 1 + i % 2) for i in range(6))
    wide = make_plan(StepGraph(steps), LAB, form="together")
    small = make_plan(StepGraph(steps), LAB, smallest=True)
    assert sum(group.gpus for group in wide.jobs[0].groups) == 9
    (group,) = small.jobs[0].groups
    assert group.gpus == 2
    assert small.reason_en.startswith("smallest allocation")


def test_the_same_question_gets_the_same_answer() -> None:
    assert make_plan(example(), LAB, form="staged") == make_plan(example(), LAB, form="staged")


def test_a_service_uses_its_gpus_as_long_as_others_need_it() -> None:
    graph = StepGraph(
        (Step("T/sim", 4, GIB, "V100", 1, service=True), Step("T/agent", 4, GIB, "A100", 2)),
        (Edge("T/sim", "T/agent", "started"),),
    )
    plan = make_plan(graph, LAB, expected_s={"T/sim": 900.0, "T/agent": 60.0})
    assert plan.expected_held_over_used == 1.0, "never less is held than used, whatever an earlier run's service took"
