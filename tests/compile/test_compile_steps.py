"""Pinning images, and the step graph of Tasks in their order."""

from __future__ import annotations

from typing import Any

import pytest

from portal.compile import CpuPolicy, resolve, step_graph
from portal.spec.canonical import UnresolvedImage
from portal.spec.load import dump_spec, load_spec
from portal.spec.models import AppSpec
from tests.spec.build import app, component, task

POLICY = CpuPolicy(cpus_per_gpu=4, cpus_without_gpu=2)
DIGEST = f"sha256:{'1' * 64}"


def spec(*tasks: dict[str, Any], **fields: Any) -> AppSpec:
    return load_spec(app(*tasks, **fields)).spec


def edges(loaded: AppSpec) -> set[tuple[str, str, str]]:
    return {(edge.before, edge.after, edge.when) for edge in step_graph(loaded, POLICY).edges}


def test_pinning_changes_nothing_else(example: AppSpec) -> None:
    plain = dump_spec(example)
    for part in plain["tasks"]:
        for one in part["components"]:
            del one["image"]["digest"]
    loaded = load_spec(plain).spec
    digests = {one.image.reference: one.image.digest or "" for part in example.tasks for one in part.components}
    assert resolve(loaded, digests) == example
    assert dump_spec(resolve(loaded, digests)) == dump_spec(example)
    assert load_spec(dump_spec(example)).spec == example


def test_an_image_without_digest_is_named() -> None:
    with pytest.raises(UnresolvedImage) as caught:
        resolve(spec(task("T", ["A"])), {})
    assert caught.value.step == "T/A"


def test_a_digest_in_the_file_is_kept() -> None:
    image = {"registry": "registry.avatar.io/x", "tag": "1.0", "digest": DIGEST}
    pinned = resolve(spec(task("T", [component("A", image=image)])), {"registry.avatar.io/x:1.0": f"sha256:{'2' * 64}"})
    assert pinned.tasks[0].components[0].image.digest == DIGEST


@pytest.mark.parametrize(
    ("resources", "cpus"),
    [
        ({}, 2),
        ({"cpus": 7}, 7),
        ({"gpu_type": "A100", "gpu_count": 3}, 12),
        ({"gpu_type": "A100", "gpu_count": 3, "cpus": 1}, 1),
        ({"gpu_type": "A100", "gpu_shards": 3}, 4),
        ({"gpu_type": "A100"}, 2),
    ],
)
def test_cpus(resources: dict[str, Any], cpus: int) -> None:
    (step,) = step_graph(spec(task("T", [component("A", resources={"memory": "1GB", **resources})])), POLICY).steps
    assert step.cpus == cpus
    assert (step.gpu_type is None) == (not step.gpus and not step.shards)


def test_tasks_in_listed_order() -> None:
    first = task("T", ["A", "B", "C"], [("A", "B"), ("A", "C")])
    second = task("U", ["A", "B", "C"], [("A", "C"), ("B", "C")])
    between = {(f"T/{last}", f"U/{start}", "finished") for last in "BC" for start in "AB"}
    inside = {("T/A", "T/B"), ("T/A", "T/C"), ("U/A", "U/C"), ("U/B", "U/C")}
    assert edges(spec(first, second)) == between | {(*pair, "finished") for pair in inside}


def test_parallel_tasks_are_not_joined() -> None:
    assert edges(spec(task("T", ["A"]), task("U", ["A"]), execution="parallel")) == set()


def test_after_joins_only_the_named_tasks() -> None:
    loaded = spec(task("T", ["A"]), task("U", ["A"]), task("V", ["A"], after=["T"]), execution="parallel")
    assert edges(loaded) == {("T/A", "V/A", "finished")}


def test_the_next_task_waits_for_services_to_be_stopped() -> None:
    service = component("S", service=True)
    loaded = spec(task("T", [service, "A"], [("S", "A", "started")]), task("U", ["B"]))
    assert edges(loaded) == {
        ("T/S", "T/A", "started"),
        ("T/S", "U/B", "finished"),
        ("T/A", "U/B", "finished"),
    }
