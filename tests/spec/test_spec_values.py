"""Durations, memory, paths; hash, diff, schema, overrides, catalogue and docs."""

from __future__ import annotations

import copy
import re
import string
from operator import attrgetter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from portal.spec import limits, models
from portal.spec.canonical import UnresolvedImage, canonical_json, content_sha256, spec_hash
from portal.spec.diff import diff_specs
from portal.spec.load import load_spec
from portal.spec.messages import CATALOGUE
from portal.spec.overrides import apply_overrides, parse_override
from portal.spec.problems import SpecError, json_path, shorten
from portal.spec.schema import app_spec_schema
from portal.spec.translate import _MODEL_AT, field_names
from portal.spec.values import duration_s, ready_file_path
from tests.spec.build import app, component, found, task

DOC = (Path(__file__).parents[2] / "docs" / "app-spec.md").read_text("utf-8")
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("00:00:01", 1),
        ("1-02:00:00", 93600),
        ("36:00:00", 129600),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "-1s", "0s", "366d", "1:2", "00:60:00", "١m", "5m\n"])
def test_not_durations(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        duration_s(text)


def test_ready_files() -> None:
    assert ready_file_path("a/ready") == ready_file_path("/one/out/a/ready") == "/one/out/a/ready"


def test_json_paths() -> None:
    assert json_path(("tasks", 0, "a.b", 'q"x')) == '$.tasks[0]["a.b"]["q\\"x"]'
    assert shorten("x" * 300) == "x" * 199 + "…"


# Canonical JSON and hash


def test_canonical_json() -> None:
    assert canonical_json({"b": 1.0, "a": ["é", 0.1, True, None]}) == '{"a":["é",0.1,true,null],"b":1}'.encode()
    assert content_sha256({"a": 1, "b": 2}) == content_sha256({"b": 2.0, "a": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def resolved(document: dict[str, Any]) -> dict[str, Any]:
    pinned = copy.deepcopy(document)
    for each in pinned["tasks"]:
        for part in each["components"]:
            part["image"]["digest"] = DIGEST
    return pinned


def hash_of(document: dict[str, Any], time_limit_min: int = 60) -> str:
    return spec_hash(load_spec(document).spec, time_limit_min=time_limit_min)


def test_hash_needs_digests(example: dict[str, Any]) -> None:
    with pytest.raises(UnresolvedImage) as caught:
        hash_of(example)
    assert caught.value.step == "TASK-001/CL-REF-001"


def test_hash_of_the_example_is_pinned(example: dict[str, Any]) -> None:
    """Stored approvals depend on it: a change needs a new HASH_FORMAT and a migration."""
    assert hash_of(resolved(example), 1440) == (Path(__file__).parent / "data" / "example.sha256").read_text().strip()


SAME_RUN = [
    lambda s: s.update(name="other"),
    lambda s: s.update(version="9"),
    lambda s: s.update(created_at=None),
    lambda s: s.update(test_run_ref="W-AAAAAA"),
    lambda s: s.update(imported_apps=[{"app_ref": "APP-XYZ", "name": "renamed", "version": "2"}]),
    lambda s: s["tasks"][0].update(name="other"),
    lambda s: s["tasks"][0]["components"][0].update(name="other"),
    lambda s: s["tasks"][0]["components"][0].update(component_version="1.2"),
    lambda s: s["tasks"][0]["components"][0].update(retries=0, service=False, command=None, node_id="CL-REF-001"),
    lambda s: s["tasks"][0]["components"][0]["resources"].update(memory="64GiB", nodes=1),
    lambda s: s["tasks"][0]["components"][0]["image"].update(tag="1.0.0"),
    lambda s: s["tasks"][0]["workflow"].reverse(),
    lambda s: s["tasks"][0]["workflow"][0].update(when="finished"),
    lambda s: s.update(execution="sequential"),
    lambda s: s["training_config"].update(gamma=0.990, goal_conditions=[]),
]
OTHER_RUN = [
    lambda s: s["env_vars"].update(NCCL_DEBUG="WARN"),
    lambda s: s["tasks"].reverse(),
    lambda s: s.update(execution="parallel"),
    lambda s: s["tasks"][0].update(task_id="TASK-9"),
    lambda s: s["tasks"][1].update(after=["TASK-001"]),
    lambda s: s["tasks"][0]["components"].reverse(),
    lambda s: s["tasks"][0]["components"][0]["image"].update(digest=f"sha256:{'b' * 64}"),
    lambda s: s["tasks"][0]["components"][0]["resources"].update(memory="65GB"),
    lambda s: s["tasks"][0]["components"][0]["resources"].update(gpu_count=3),
    lambda s: s["tasks"][0]["components"][0]["resources"].update(gpu_type="H100"),
    lambda s: s["tasks"][0]["components"][0]["resources"].update(cpus=3),
    lambda s: s["tasks"][0]["components"][0]["resources"].update(nodes=2),
    lambda s: s["tasks"][0]["components"][0]["resources"].update(time_limit="1h"),
    lambda s: s["tasks"][0]["components"][0].update(params={"x": 1}),
    lambda s: s["tasks"][0]["components"][0].update(command=["x"]),
    lambda s: s["tasks"][0]["components"][0].update(args=["x"]),
    lambda s: s["tasks"][0]["components"][0].update(retries=1),
    lambda s: s["tasks"][0]["components"][0].update(ready={"file": "x"}),
    lambda s: s["tasks"][0]["workflow"].pop(),
    lambda s: s["tasks"][0]["workflow"][0].update(when="started"),
    lambda s: s["training_config"].update(episodes=999),
    lambda s: s["training_config"]["reward_params"].update(safety_weight=0.5),
    lambda s: s.pop("training_config"),
    lambda s: s["storage"].update(path="/training-data/other"),
]


@pytest.mark.parametrize("change", SAME_RUN)
def test_what_is_not_in_the_hash(example: dict[str, Any], change: Any) -> None:
    before = hash_of(resolved(example))
    changed = resolved(example)
    change(changed)
    assert hash_of(changed) == before


@pytest.mark.parametrize("change", OTHER_RUN)
def test_what_is_in_the_hash(example: dict[str, Any], change: Any) -> None:
    before = hash_of(resolved(example))
    changed = resolved(example)
    change(changed)
    assert hash_of(changed) != before


def test_time_limit_is_in_the_hash(example: dict[str, Any]) -> None:
    assert hash_of(resolved(example), 60) != hash_of(resolved(example), 61)


# Diff


def test_equal_specs_do_not_differ(example: dict[str, Any]) -> None:
    same = copy.deepcopy(example)
    same["tasks"][0]["components"][0]["resources"]["nodes"] = 1
    assert diff_specs(load_spec(example).spec, load_spec(same).spec) == ()


def test_diff_is_grouped_by_component(example: dict[str, Any]) -> None:
    new = copy.deepcopy(example)
    new["version"] = "1.1.0"
    new["tasks"][0]["components"][1]["resources"]["gpu_count"] = 2
    new["tasks"][0]["components"][1]["params"] = {"lr": 0.01, "seed": 1}
    new["tasks"][0]["workflow"].pop()
    new["tasks"].pop()
    new["tasks"].append(task("TASK-003", ["X"]))
    groups = diff_specs(load_spec(example).spec, load_spec(new).spec)
    assert [(group.where, group.kind, group.change) for group in groups] == [
        ("", "app", "changed"),
        ("TASK-001", "task", "changed"),
        ("TASK-001/CL-REF-002", "component", "changed"),
        ("TASK-003", "task", "added"),
        ("TASK-003/X", "component", "added"),
        ("TASK-002", "task", "removed"),
        ("TASK-002/CL-REF-010", "component", "removed"),
    ]
    assert [(change.path, change.old, change.new) for change in groups[2].changes] == [
        ("resources.gpu_count", 4, 2),
        ("params.lr", 0.001, 0.01),
        ("params.episodes", 1000, None),
        ("params.seed", None, 1),
    ]


# Schema


def test_schema_is_a_schema_and_takes_the_example(example: dict[str, Any]) -> None:
    schema = app_spec_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(example)) == []
    example["tasks"][0]["components"][0]["resources"]["gpu_cuont"] = 1
    del example["name"]
    assert sorted(error.validator for error in validator.iter_errors(example)) == ["additionalProperties", "required"]


# Overrides


def test_overrides(example: dict[str, Any]) -> None:
    changed = apply_overrides(
        example,
        {
            "training_config.episodes": 5,
            "training_config.env_config.max_temp": 900,
            "env_vars.NCCL_DEBUG": "WARN",
            "TASK-001/CL-REF-002.resources.gpu_count": 2,
            "TASK-001/CL-REF-002.params.a.b": 1,
        },
    )
    groups = diff_specs(load_spec(example).spec, load_spec(changed).spec)
    assert [[change.path for change in group.changes] for group in groups] == [
        ["env_vars.NCCL_DEBUG", "training_config.episodes", "training_config.env_config.max_temp"],
        ["resources.gpu_count", "params.a.b"],
    ]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "name",
        "app_id",
        "tasks",
        "env_vars",
        "env_vars.",
        "training_config.episodes.x",
        "TASK-001/NO.params.x",
        "TASK-001/CL-REF-001.image.tag",
    ],
)
def test_what_cannot_be_overridden(example: dict[str, Any], key: str) -> None:
    with pytest.raises(SpecError) as caught:
        apply_overrides(example, {key: 1})
    assert [problem.code for problem in caught.value.problems] == ["bad_override"]


def test_overrides_without_training_config_make_one() -> None:
    changed = apply_overrides(app(task("T", ["A"])), {"training_config.episodes": 5})
    assert load_spec(changed).spec.training_config == models.TrainingConfig(episodes=5)


def test_the_training_data_of_one_request(example: dict[str, Any]) -> None:
    spec = load_spec(apply_overrides(example, {"storage.path": "/training-data/other"})).spec
    assert spec.storage is not None
    assert spec.storage.path == "/training-data/other"


def test_override_is_checked_when_loaded_again(example: dict[str, Any]) -> None:
    changed = apply_overrides(example, {"TASK-001/CL-REF-002.resources.gpus": 2})
    assert found(changed) == [("$.tasks[0].components[1].resources.gpus", "misspelt_field")]


def test_command_line_overrides() -> None:
    assert parse_override("training_config.episodes=5") == ("training_config.episodes", 5)
    assert parse_override("T/N.params.name=a=b") == ("T/N.params.name", "a=b")
    assert parse_override("env_vars.N=1") == ("env_vars.N", "1")
    for text in ("x", "=1"):
        with pytest.raises(ValueError, match="KEY=VALUE"):
            parse_override(text)


# What is written down


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("code", CATALOGUE)
def test_both_languages_say_the_same(code: str) -> None:
    entry = CATALOGUE[code]
    language = re.compile(r"_(ko|en)$")
    for one, other in ((entry.ko, entry.en), (entry.cure_ko, entry.cure_en)):
        assert {language.sub("", name) for name in placeholders(one)} == {
            language.sub("", name) for name in placeholders(other)
        }
        assert re.search("[가-힣]", one)
        assert not re.search("[가-힣]", other)


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_in_the_docs(code: str) -> None:
    assert f"`{code}`" in DOC


@pytest.mark.parametrize("model", sorted(set(_MODEL_AT.values()), key=attrgetter("__name__")))
def test_every_field_is_in_the_docs(model: type[models.Model]) -> None:
    section = DOC.split(f"### {model.__name__}\n")[1].split("\n### ")[0]
    for name in field_names(model):
        assert re.search(rf"^\| `{name}`( \*\(added\)\*)? \|", section, re.MULTILINE)


def test_docs_name_no_field_that_is_not_there() -> None:
    known = {name for model in _MODEL_AT.values() for name in field_names(model)}
    fields = DOC.split("## Fields")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_]+)`.*? \|", fields, re.MULTILINE)) == known


@pytest.mark.parametrize("name", [name for name in vars(limits) if name.startswith("MAX_")])
def test_every_limit_is_in_the_docs(name: str) -> None:
    assert f"`{name}`" in DOC


def test_keys_of_models_are_unique() -> None:
    """The path of an unknown field finds its model by the key that the model stands under."""
    inner = [name for model in _MODEL_AT.values() for name in field_names(model) if name in _MODEL_AT]
    assert sorted(inner) == sorted(key for key in _MODEL_AT if key)


def test_defaults_change_nothing(example: dict[str, Any]) -> None:
    spec = load_spec(example).spec
    assert component("A") == component("A")
    assert spec.tasks[0].components[0].id == "CL-REF-001"
    assert spec.tasks[0].components[0].resources.memory_mib == 65536
    assert spec.tasks[0].components[0].resources.time_limit_s is None
