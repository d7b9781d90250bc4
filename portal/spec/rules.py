"""The rules of values in a spec whose shape is right: counts, variables, parameters, images, sizes; and the site's rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from containers.errors import InvalidReference, RegistryNotAllowed
from containers.reference import check_allowed, from_spec
from portal.spec import limits
from portal.spec.graph import components_of, graph_problems, variable_suffix
from portal.spec.models import AppSpec, Component
from portal.spec.problems import Problem, json_path, problem

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED_PREFIXES = ("SLURM_", "APPTAINER", "ONE_")
_CUDA = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class SiteRules:
    """What a site allows: roots that storage.path may lie under, and registries that images may come from (empty: none)."""

    storage_roots: tuple[str, ...]
    registries: tuple[str, ...]


def spec_problems(spec: AppSpec) -> list[Problem]:
    """What is wrong by rules that hold on every site, as far as an answer lists it."""
    return list(islice(_all_problems(spec), limits.MAX_PROBLEMS + 1))


def _all_problems(spec: AppSpec) -> Iterator[Problem]:
    yield from _empty(spec)
    yield from graph_problems(spec)
    yield from _variables(spec)
    yield from _imports(spec)
    for path, _task, component in components_of(spec):
        yield from _params(component, path)
        yield from _image(component, path)
        yield from _environment_size(spec, component, path)


def site_problems(spec: AppSpec, site: SiteRules) -> list[Problem]:
    """Everything wrong by the rules of one site."""
    return [*_storage_root(spec, site), *_registries(spec, site)]


def _empty(spec: AppSpec) -> Iterator[Problem]:
    if not spec.tasks:
        yield problem("$.tasks", "no_tasks")
    for index, task in enumerate(spec.tasks):
        if not task.components:
            yield problem(f"$.tasks[{index}].components", "empty_task", task=task.task_id)


def _variables(spec: AppSpec) -> Iterator[Problem]:
    for key, value in spec.env_vars.items():
        path = json_path(("env_vars", key))
        if not _VARIABLE.fullmatch(key):
            yield problem(path, "bad_variable", key=key)
        elif key.startswith(_RESERVED_PREFIXES):
            yield problem(path, "reserved_variable", key=key)
        elif key == _CUDA and value != "all":
            yield problem(path, "reserved_cuda", key=key)


def _imports(spec: AppSpec) -> Iterator[Problem]:
    listed = {app.app_ref for app in spec.imported_apps}
    for index, app in enumerate(spec.imported_apps):
        if app.app_ref == spec.app_id:
            yield problem(f"$.imported_apps[{index}].app_ref", "import_cycle", chain=f"{spec.name} → {spec.name}")
    for index, task in enumerate(spec.tasks):
        if task.imported_from is not None and task.imported_from not in listed:
            yield problem(f"$.tasks[{index}].imported_from", "import_unlisted", app=task.imported_from)


def param_variable(name: str) -> str:
    """The environment variable of a parameter: "lr" -> "ONE_PARAM_LR"."""
    return f"ONE_PARAM_{variable_suffix(name)}"


def param_text(value: object) -> str:
    """A parameter's value in its environment variable: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _params(component: Component, path: str) -> Iterator[Problem]:
    names: dict[str, str] = {}
    for name, value in component.params.items():
        if not name:
            yield problem(f"{path}.params", "empty_param")
            continue
        variable = param_variable(name)
        first = names.setdefault(variable, name)
        if first != name:
            yield problem(f"{path}.params", "param_collision", first=first, second=name, name=variable)
        size = len(param_text(value).encode())
        if size > limits.MAX_VALUE_BYTES:
            place = path + json_path(("params", name))[1:]
            yield problem(place, "value_too_large", size=size, limit=limits.MAX_VALUE_BYTES)


def _image(component: Component, path: str) -> Iterator[Problem]:
    image = component.image
    try:
        from_spec(image.registry, image.tag)
    except InvalidReference:
        yield problem(f"{path}.image", "bad_image", image=image.reference)
        return
    if image.tag == "latest" and image.digest is None:
        yield problem(f"{path}.image.tag", "latest_tag", image=image.reference)


def _environment_size(spec: AppSpec, component: Component, path: str) -> Iterator[Problem]:
    texts = [text for pair in spec.env_vars.items() for text in pair]
    texts += [param_text(value) for value in component.params.values()]
    texts += [*(component.command or ()), *(component.args or ())]
    size = sum(len(text.encode()) for text in texts)
    if size > limits.MAX_ENVIRONMENT_BYTES:
        limit = limits.MAX_ENVIRONMENT_BYTES
        yield problem(path, "environment_too_large", node=component.id, size=size, limit=limit)


def _storage_root(spec: AppSpec, site: SiteRules) -> Iterator[Problem]:
    if spec.storage is None:
        return
    path = spec.storage.path
    if not any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in site.storage_roots):
        yield problem("$.storage.path", "outside_roots", found=path, roots=", ".join(site.storage_roots))


def _registries(spec: AppSpec, site: SiteRules) -> Iterator[Problem]:
    for path, _task, component in components_of(spec):
        try:
            check_allowed(from_spec(component.image.registry, component.image.tag), site.registries)
        except RegistryNotAllowed as exc:
            allowed = ", ".join(exc.allowed) or "-"
            yield problem(f"{path}.image.registry", "registry_not_allowed", registry=exc.registry, allowed=allowed)
