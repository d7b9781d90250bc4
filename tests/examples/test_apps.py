"""The Apps: the specification's own, letter by letter, and two that need no approval; every image has a program."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path
from typing import Any

import pytest

from .stage import EXAMPLES, app

APPS = sorted(path.parent.name for path in EXAMPLES.glob("*/app.json"))
# Of the file in section 2.2 of the specification, as it was delivered.
SPECIFICATION_SHA256 = "aae862a02c598db7f6204b36c224c2c75f855b650622f505ce2f1e43d4090c5e"


def components(name: str) -> list[dict[str, Any]]:
    return [component for task in app(name)["tasks"] for component in task["components"]]


def test_the_specifications_example_is_unchanged() -> None:
    content = (EXAMPLES / "rl-design-opt" / "app.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == SPECIFICATION_SHA256


def test_there_are_three_apps() -> None:
    assert APPS == ["co-running", "rl-design-opt", "two-nodes"]


@pytest.mark.parametrize("name", ["co-running", "two-nodes"])
def test_the_others_stay_under_the_approval_threshold(name: str) -> None:
    for component in components(name):
        resources = component["resources"]
        nodes = resources.get("nodes", 1)
        assert resources["gpu_count"] * nodes < 4
        assert int(resources["memory"].removesuffix("GB")) * nodes < 128


def test_every_image_of_an_app_is_built_from_a_program() -> None:
    images = runpy.run_path(str(EXAMPLES / "images" / "build.py"))["IMAGES"]
    built = {(f"registry.avatar.io/{image.name}", image.tag) for image in images}
    asked = {(part["image"]["registry"], part["image"]["tag"]) for name in APPS for part in components(name)}
    assert built == asked
    for image in images:
        assert (Path(EXAMPLES) / image.program / "main.py").is_file()
