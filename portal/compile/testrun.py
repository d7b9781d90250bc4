"""A minimal run test: the same images and graph with less of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.compile.steps import step_id
from portal.domain.approval import StepSize
from portal.spec.models import AppSpec, Component, Resources


@dataclass(frozen=True)
class TestRun:
    """What is different in a test: sizes and parameters by step id; episodes for RL, iterations otherwise."""

    __test__ = False  # not a test class

    sizes: Mapping[str, StepSize]
    episodes: int | None = None
    iterations: int = 1
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def test_run_of(options: Mapping[str, Any]) -> TestRun:
    """Of a test workload's options, as `services.tests` writes them."""
    return TestRun(
        sizes={step: StepSize(**size) for step, size in options["sizes"].items()},
        episodes=options.get("episodes"),
        iterations=options.get("iterations", 1),
        params=options.get("params", {}),
    )


test_run_of.__test__ = False  # type: ignore[attr-defined]  # not a test


def reduced(spec: AppSpec, test: TestRun) -> AppSpec:
    """The spec that a test runs: its sizes, and its parameters over the spec's own. Raises KeyError for a missing size."""
    tasks = tuple(
        task.model_copy(
            update={
                "components": tuple(
                    _reduced(component, step_id(task.task_id, component.id), test) for component in task.components
                )
            }
        )
        for task in spec.tasks
    )
    return spec.model_copy(update={"tasks": tasks})


def _reduced(component: Component, step: str, test: TestRun) -> Component:
    return component.model_copy(
        update={
            "resources": _resized(component.resources, test.sizes[step]),
            "params": {**component.params, **test.params.get(step, {})},
        }
    )


def _resized(asked: Resources, size: StepSize) -> Resources:
    return asked.model_copy(
        update={
            "gpu_count": size.gpus,
            "gpu_shards": size.shards or None,
            "memory": f"{size.memory_mib}MB",
            "nodes": size.nodes,
        }
    )
