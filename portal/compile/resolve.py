"""A spec whose images are pinned: tags become digests, and nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping

from portal.spec.canonical import UnresolvedImage
from portal.spec.models import AppSpec, Component


def resolve(spec: AppSpec, digests: Mapping[str, str]) -> AppSpec:
    """The resolved spec. `digests` maps an image's reference ("registry.avatar.io/env-sim:1.0") to "sha256:...".

    An image that already has a digest keeps it. Raises UnresolvedImage naming the first step without one.
    """
    tasks = tuple(
        task.model_copy(
            update={"components": tuple(_pinned(component, task.task_id, digests) for component in task.components)}
        )
        for task in spec.tasks
    )
    return spec.model_copy(update={"tasks": tasks})


def _pinned(component: Component, task_id: str, digests: Mapping[str, str]) -> Component:
    image = component.image
    if image.digest is not None:
        return component
    digest = digests.get(image.reference)
    if digest is None:
        raise UnresolvedImage(f"{task_id}/{component.id}")
    return component.model_copy(update={"image": image.model_copy(update={"digest": digest})})
