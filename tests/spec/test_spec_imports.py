"""The chain by which an App would import itself, and which version of an import is offered."""

from __future__ import annotations

import pytest

from portal.spec.imports import Pin, chain_back, newer_version
from tests.spec.build import app, problems, task

A1, B1, B2, C1 = Pin("A", "1"), Pin("B", "1"), Pin("B", "2"), Pin("C", "1")


@pytest.mark.parametrize(
    ("start", "imports", "chain"),
    [
        (B1, {}, ()),
        (B1, {B1: [C1], C1: []}, ()),
        (A1, {}, ("A", "A")),
        (B1, {B1: [A1]}, ("A", "B", "A")),
        (B1, {B1: [C1], C1: [Pin("A", None)]}, ("A", "B", "C", "A")),
        (B1, {B1: [C1, A1], C1: [A1]}, ("A", "B", "A")),
        (B1, {B1: [C1], C1: [B1]}, ()),
        (B1, {B2: [A1]}, ()),
    ],
    ids=["nothing", "elsewhere", "itself", "direct", "over two", "the shortest", "another's knot", "another version"],
)
def test_the_chain_follows_pinned_versions(start: Pin, imports: dict[Pin, list[Pin]], chain: tuple[str, ...]) -> None:
    assert chain_back(start, imports, "A") == chain


def test_a_newer_version_is_offered_until_it_is_declined() -> None:
    assert newer_version(["1.1", "1.0"], "1.0", None) == "1.1"
    assert newer_version(["1.1", "1.0"], "1.1", None) is None
    assert newer_version(["1.1", "1.0"], "1.0", "1.1") is None
    assert newer_version(["1.2", "1.1", "1.0"], "1.0", "1.1") == "1.2"
    assert newer_version(["1.1"], None, None) == "1.1"
    assert newer_version([], "1.0", None) is None


def test_an_app_that_imports_itself_is_wrong() -> None:
    spec = app(task("T", ["A"]))
    spec["imported_apps"] = [{"app_ref": spec["app_id"], "name": "itself"}]
    (found,) = problems(spec)
    assert (found.path, found.code, found.severity) == ("$.imported_apps[0].app_ref", "import_cycle", "error")
    assert f"{spec['name']} → {spec['name']}" in found.message_en
