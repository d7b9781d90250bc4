"""The one line that names what a workload asks for: the component with most GPUs, and how many others there are (D18)."""

from __future__ import annotations

from collections.abc import Sequence

from portal.spec.graph import components_of
from portal.spec.models import AppSpec, Component, Resources
from slurm.units import memory_text


def resources_text(spec: AppSpec) -> str:
    """`A100 x 4, 128GB +4`; without any GPU `CPU x 8, 32GB` (CPUs only where the spec names them)."""
    components = [component for _path, _task, component in components_of(spec)]
    others = len(components) - 1
    return largest_text(components) + (f" +{others}" if others else "")


def gpu_types(spec: AppSpec) -> str:
    """The GPU types that a list is filtered by, `|A100|V100|`; "" for a workload without GPUs."""
    asked = [component.resources for _path, _task, component in components_of(spec)]
    found = sorted({one.gpu_type for one in asked if one.gpu_type and (one.gpu_count or one.gpu_shards)})
    return f"|{'|'.join(found)}|" if found else ""


def largest(spec: AppSpec) -> Component:
    """The component that the line names."""
    return _largest([component for _path, _task, component in components_of(spec)])


def _largest(components: Sequence[Component]) -> Component:
    return max(components, key=lambda one: (one.resources.gpu_count, one.resources.gpu_shards or 0))


def largest_text(components: Sequence[Component]) -> str:
    """`A100 x 4, 128GB`: the component with most GPUs; "" without any component."""
    if not components:
        return ""
    return demand_text(_largest(components).resources)


def demand_text(asked: Resources) -> str:
    """`A100 x 4, 128GB`: what one component asks for."""
    memory = memory_text(asked.memory_mib)
    if asked.gpu_count:
        text = f"{asked.gpu_type} x {asked.gpu_count}, {memory}"
    elif asked.gpu_shards:
        text = f"{asked.gpu_type} {asked.gpu_shards} shards, {memory}"
    else:
        text = f"CPU x {asked.cpus}, {memory}" if asked.cpus else memory
    return text if asked.nodes == 1 else f"{asked.nodes} x ({text})"
