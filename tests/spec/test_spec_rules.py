"""Graph rules, reserved names and the site's rules."""

from __future__ import annotations

from typing import Any

import pytest

from portal.spec.graph import first_nodes, last_nodes, task_order
from portal.spec.load import load_spec
from portal.spec.rules import SiteRules, param_text, param_variable, site_problems
from tests.spec.build import app, component, found, problems, task


def only(document: dict[str, Any]) -> tuple[str, str, str]:
    (problem,) = problems(document)
    return problem.path, problem.message_ko, problem.message_en


def test_cycle_in_the_words_of_the_page() -> None:
    edges = [("A", "B"), ("B", "C"), ("C", "A")]
    assert only(app(task("T", ["A", "B", "C"], edges))) == (
        "$.tasks[0].workflow",
        "순환 참조입니다: A → B → C → A. 연결을 추가하지 않았습니다.",
        "Cycle: A → B → C → A. The connection was not added.",
    )


def test_each_knot_is_named_once() -> None:
    nodes = ["A", "B", "C", "D"]
    edges = [(a, b) for a in nodes for b in nodes if a != b]
    assert found(app(task("T", nodes, edges))) == [("$.tasks[0].workflow", "cycle")]
    two = [("A", "B"), ("B", "A"), ("C", "D"), ("D", "C")]
    assert found(app(task("T", nodes, two))) == [("$.tasks[0].workflow", "cycle")] * 2


def test_self_loop_in_the_words_of_the_page() -> None:
    assert only(app(task("T", ["A"], [("A", "A")]))) == (
        "$.tasks[0].workflow[0]",
        "자기 자신에는 연결할 수 없습니다: A",
        "A component cannot connect to itself: A",
    )


def test_duplicate_edge_in_the_words_of_the_page() -> None:
    assert only(app(task("T", ["A", "B"], [("A", "B"), ("A", "B", "started")]))) == (
        "$.tasks[0].workflow[1]",
        "이미 연결되어 있습니다: A → B",
        "Already connected: A → B",
    )


def test_missing_node_names_task_and_choices() -> None:
    (problem,) = problems(app(task("T", ["A", "B"], [("A", "X"), ("A", "B")])))
    assert (problem.path, problem.message_en) == ("$.tasks[0].workflow[0].to", "Task T has no such component: X")
    assert problem.cure_en == "Use one of: A, B"


def test_edges_stay_inside_their_task() -> None:
    assert ("$.tasks[1].workflow[0].from", "missing_node") in found(
        app(task("T", ["A"]), task("U", ["B"], [("A", "B")]))
    )


def test_duplicate_ids() -> None:
    assert found(app(task("T", ["A"]), task("T", ["A"]))) == [("$.tasks[1].task_id", "duplicate_task")]
    twice = task("T", ["A", "A"], [])
    assert ("$.tasks[0].components[1].component_id", "duplicate_node") in found(app(twice))
    placed = task("T", ["A", component("A", node_id="A-2")], [("A", "A-2")])
    assert found(app(placed)) == []


def test_empty_task_and_lonely_component() -> None:
    assert found(app(task("T", []))) == [("$.tasks[0].components", "empty_task")]
    (problem,) = problems(app(task("T", ["A", "B", "C"], [("A", "B")])))
    assert (problem.path, problem.severity) == ("$.tasks[0].components[2]", "warning")


def test_two_hundred_components_are_the_limit() -> None:
    def nodes(first: int, last: int) -> list[str]:
        return [f"N{number}" for number in range(first, last)]

    assert "too_many_components" not in [
        code for _, code in found(app(task("T", nodes(0, 100)), task("U", nodes(0, 100))))
    ]
    assert ("$.tasks", "too_many_components") in found(app(task("T", nodes(0, 100)), task("U", nodes(0, 101))))


@pytest.mark.parametrize("key", ["SLURM_JOB_ID", "APPTAINER_BIND", "APPTAINERENV_X", "ONE_RUN_ID"])
def test_reserved_variables_in_the_words_of_the_page(key: str) -> None:
    assert only(app(task("T", ["A"]), env_vars={key: "1"})) == (
        f"$.env_vars.{key}",
        f"{key}는 플랫폼이 정하는 변수라 쓸 수 없습니다.",
        f"{key} is set by the platform and cannot be used.",
    )


def test_cuda_visible_devices_may_say_all() -> None:
    assert found(app(task("T", ["A"]), env_vars={"CUDA_VISIBLE_DEVICES": "all"})) == []
    place = ("$.env_vars.CUDA_VISIBLE_DEVICES", "reserved_cuda")
    assert found(app(task("T", ["A"]), env_vars={"CUDA_VISIBLE_DEVICES": "0"})) == [place]


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A B", "A=B", "A\n", "환경"])
def test_names_that_no_environment_takes(key: str) -> None:
    assert [code for _, code in found(app(task("T", ["A"]), env_vars={key: "1"}))] == ["bad_variable"]


def test_parameter_variables() -> None:
    assert param_variable("learning-rate.ü") == "ONE_PARAM_LEARNING_RATE__"
    assert [param_text(value) for value in ("x", 1, 0.5, True, None, {"a": "가"})] == [
        "x",
        "1",
        "0.5",
        "true",
        "null",
        '{"a": "가"}',
    ]


def test_imported_from_without_import_is_a_warning() -> None:
    (problem,) = problems(app(task("T", ["A"], imported_from="APP-X")))
    assert (problem.path, problem.severity) == ("$.tasks[0].imported_from", "warning")


# Services and "started"


def simulator(**fields: Any) -> dict[str, Any]:
    return component("SIM", service=True, ready={"port": "auto"}, **fields)


def test_service_and_its_client() -> None:
    assert found(app(task("T", [simulator(), "AGENT"], [("SIM", "AGENT", "started")]))) == []


def test_a_service_that_nobody_uses() -> None:
    lonely = task("T", [simulator(), "AGENT"], [("SIM", "AGENT")])
    assert ("$.tasks[0].components[0].service", "unused_service") in found(app(lonely))


def test_ready_that_nobody_waits_for_is_a_warning() -> None:
    (problem,) = problems(app(task("T", [component("A", ready={"file": "x"}), "B"], [("A", "B")])))
    assert (problem.code, problem.severity) == ("ready_unused", "warning")


def test_service_whose_client_waits_for_its_end() -> None:
    edges = [("SIM", "AGENT", "started"), ("SIM", "X"), ("X", "AGENT")]
    (problem,) = problems(app(task("T", [simulator(), "AGENT", "X"], edges)))
    assert problem.code == "service_deadlock"
    assert "SIM (end)" in problem.message_en


def test_service_followed_by_work_after_its_end() -> None:
    edges = [("SIM", "AGENT", "started"), ("SIM", "REPORT")]
    assert found(app(task("T", [simulator(), "AGENT", "REPORT"], edges))) == []


def test_host_variables_must_differ() -> None:
    first, second = (component(node, service=True) for node in ("S.1", "S-1"))
    document = app(task("T", [first, second, "A"], [("S.1", "A", "started"), ("S-1", "A", "started")]))
    assert found(document) == [("$.tasks[0].components[1].node_id", "host_name_collision")]


# Order between Tasks


def order(document: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return task_order(load_spec(document).spec)


def test_tasks_run_in_listed_order() -> None:
    assert order(app(task("T", ["A"]), task("U", ["A"]), task("V", ["A"]))) == (("T", "U"), ("U", "V"))


def test_parallel_tasks_wait_only_for_what_they_name() -> None:
    tasks = (task("T", ["A"]), task("U", ["A"]), task("V", ["A"], after=["T"]))
    assert order(app(*tasks, execution="parallel")) == (("T", "V"),)


def test_after_replaces_the_listed_order_for_that_task_only() -> None:
    tasks = (task("T", ["A"]), task("U", ["A"]), task("V", ["A"], after=["T"]), task("W", ["A"]))
    assert order(app(*tasks)) == (("T", "U"), ("T", "V"), ("V", "W"))


@pytest.mark.parametrize(
    ("tasks", "place", "code"),
    [
        ((task("T", ["A"], after=["T"]),), "$.tasks[0].after[0]", "task_self_loop"),
        ((task("T", ["A"], after=["X"]),), "$.tasks[0].after[0]", "missing_task"),
        ((task("T", ["A"]), task("U", ["A"], after=["T", "T"])), "$.tasks[1].after[1]", "duplicate_after"),
        ((task("T", ["A"], after=["U"]), task("U", ["A"])), "$.tasks", "task_cycle"),
        ((task("T", ["A"], after=["U"]), task("U", ["A"], after=["T"])), "$.tasks", "task_cycle"),
    ],
)
def test_order_that_cannot_be(tasks: tuple[dict[str, Any], ...], place: str, code: str) -> None:
    assert found(app(*tasks)) == [(place, code)]


def test_first_and_last_components() -> None:
    edges = [("SIM", "AGENT", "started"), ("AGENT", "B"), ("A", "B")]
    (loaded,) = load_spec(app(task("T", [simulator(), "AGENT", "A", "B"], edges))).spec.tasks
    assert first_nodes(loaded) == ("SIM", "A")
    assert last_nodes(loaded) == ("SIM", "B")


# The site


REGISTRIES = ("registry.avatar.io",)


def site_codes(document: dict[str, Any], site: SiteRules) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in site_problems(load_spec(document).spec, site)]


@pytest.mark.parametrize(
    ("path", "inside"),
    [("/training-data", True), ("/training-data/x", True), ("/training-data-2/x", False), ("/etc", False)],
)
def test_storage_roots(path: str, inside: bool) -> None:
    document = app(task("T", ["A"]), storage={"type": "distributed", "path": path})
    expected = [] if inside else [("$.storage.path", "outside_roots")]
    assert site_codes(document, SiteRules(("/training-data",), REGISTRIES)) == expected


def test_root_of_everything() -> None:
    document = app(task("T", ["A"]), storage={"type": "distributed", "path": "/x"})
    assert site_codes(document, SiteRules(("/",), REGISTRIES)) == []


def test_registries() -> None:
    document = app(task("T", ["A"]))
    assert site_codes(document, SiteRules((), REGISTRIES)) == []
    assert site_codes(document, SiteRules((), ("other.io", "Registry.Avatar.io"))) == []
    place = ("$.tasks[0].components[0].image.registry", "registry_not_allowed")
    assert site_codes(document, SiteRules((), ("other.io",))) == site_codes(document, SiteRules((), ())) == [place]
