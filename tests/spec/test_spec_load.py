"""The door: the example, broken texts, broken shapes, everything at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.spec import limits
from portal.spec.load import dump_spec, load_spec
from portal.spec.messages import CATALOGUE
from portal.spec.problems import SpecError
from tests.hostile import HOSTILE
from tests.spec.build import app, component, found, problems, task


def test_example_loads_without_a_word(example_bytes: bytes) -> None:
    assert load_spec(example_bytes).problems == ()


def test_example_round_trips_unchanged(example_bytes: bytes, example: dict[str, Any]) -> None:
    loaded = load_spec(example_bytes)
    assert json.dumps(loaded.document) == json.dumps(example)
    assert json.dumps(dump_spec(loaded.spec)) == json.dumps(example)
    assert load_spec(json.loads(json.dumps(dump_spec(loaded.spec)))).spec == loaded.spec


def test_key_order_of_the_file_is_kept(example: dict[str, Any]) -> None:
    turned = dict(reversed(example.items()))
    assert list(load_spec(json.dumps(turned)).document) == list(turned)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "Line 1, column 1: value expected"),
        (b'{"a": 1\n "b": 2}', "Line 2, column 2: comma expected"),
        (b'{"a": 1,}', "comma before the end"),
        (b'{"a" 1}', "colon expected"),
        (b'{"a": "x', "string without end"),
        (b'{"a": "\n"}', "control character in a string"),
        (b'{"a": "\\q"}', "invalid escape"),
        (b"{} {}", "text after the JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xff"}', "Not UTF-8 (at byte 7)"),
        (b'{"a": ' + b"[" * 100_000, "Nested more than 32 levels deep."),
    ],
)
def test_text_that_is_no_json(text: bytes, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(text)
    assert [p.path for p in caught.value.problems] == ["$"]
    message = caught.value.problems[0].message_en
    if expected == "comma before the end":  # Python before 3.13 has no word of its own for it
        assert expected in message or "key in double quotes expected" in message
    else:
        assert expected in message


@pytest.mark.parametrize("data", ["[]", "1", "null", '"x"'])
def test_json_that_is_no_object(data: str) -> None:
    assert found(data) == [("$", "wrong_type")]


def raw(fragment: str) -> str:
    """A valid App whose `x` parameter is the given JSON text."""
    text = json.dumps(app(task("T", [component("A", params={"x": "@"})])))
    return text.replace('"@"', fragment)


@pytest.mark.parametrize(
    ("fragment", "code"),
    [
        ("NaN", "not_finite"),
        ("-Infinity", "not_finite"),
        ("1e999", "not_finite"),
        ("9007199254740992", "number_too_large"),
        ("-" + "9" * 5000, "number_too_large"),
        (r'"a\u0000b"', "bad_character"),
        (r'"\ud800"', "bad_character"),
        ('"' + "가" * 11_000 + '"', "value_too_large"),
    ],
)
def test_values_that_json_libraries_pass_silently(fragment: str, code: str) -> None:
    assert found(raw(fragment)) == [("$.tasks[0].components[0].params.x", code)]


def test_limits_are_reached_but_not_passed() -> None:
    assert found(raw("9007199254740991")) == []
    assert found(raw('"' + "x" * limits.MAX_VALUE_BYTES + '"')) == []
    assert found(raw('"' + "x" * (limits.MAX_VALUE_BYTES + 1) + '"'))[0][1] == "value_too_large"


def test_a_parameter_counts_as_its_json_text() -> None:
    value = ["x" * 20_000, "y" * 20_000]
    assert found(app(task("T", [component("A", params={"big": value})]))) == [
        ("$.tasks[0].components[0].params.big", "value_too_large")
    ]


def test_nesting_is_named_where_it_becomes_too_deep() -> None:
    depth = limits.MAX_DEPTH - 6  # $.tasks[0].components[0].params.x are six levels
    assert found(raw("[" * depth + "]" * depth)) == []
    (path, code), *rest = found(raw("[" * (depth + 1) + "]" * (depth + 1)))
    assert (path, code, rest) == ("$.tasks[0].components[0].params.x" + "[0]" * depth, "too_deep", [])


def test_duplicate_keys_are_named_with_their_object() -> None:
    text = json.dumps(app(task("T", [component("A")])))
    assert found(text.replace('"memory": "1GB"', '"memory": "1GB", "memory": "2GB"')) == [
        ("$.tasks[0].components[0].resources", "duplicate_key")
    ]


def test_two_megabytes_are_the_end() -> None:
    text = json.dumps(app(task("T", [component("A")])))
    assert found(text + " " * (limits.MAX_BYTES - len(text))) == []
    assert found(text + " " * (limits.MAX_BYTES - len(text) + 1)) == [("$", "too_large")]
    big = app(task("T", [component("A", params={str(n): "x" * 30_000 for n in range(80)})]))
    assert found(big) == [("$", "too_large")]


def test_unknown_fields_name_their_path_and_the_likely_word(example: dict[str, Any]) -> None:
    example["tasks"][0]["components"][1]["resources"]["gpu_cout"] = 4
    example["zzz"] = 1
    first, second = problems(example)
    assert (first.path, first.code) == ("$.tasks[0].components[1].resources.gpu_cout", "misspelt_field")
    assert first.cure_en == "Did you mean gpu_count?"
    assert first.cure_ko == "혹시 gpu_count입니까?"
    assert (second.path, second.code) == ("$.zzz", "unknown_field")
    assert "training_config" in second.cure_en


def test_everything_is_reported_at_once(example: dict[str, Any]) -> None:
    example["naem"] = "x"
    example["env_vars"]["SLURM_X"] = "1"
    example["training_config"]["gamma"] = 1.5
    first, second, third, fourth = example["tasks"][0]["components"]
    first["ready"] = {"port": "soon"}
    second["ready"] = {"port": 1, "file": "a"}
    third["resources"]["memory"] = "lots"
    fourth["retries"] = "1"
    fourth["image"]["tag"] = "a b"
    example["tasks"][0]["workflow"].append({"from": "CL-REF-004", "to": "CL-REF-001"})
    assert sorted(found(example)) == [
        ("$.env_vars.SLURM_X", "reserved_variable"),
        ("$.naem", "misspelt_field"),
        ("$.tasks[0].components[0].ready.port", "not_allowed"),
        ("$.tasks[0].components[1].ready", "bad_ready"),
        ("$.tasks[0].components[2].resources.memory", "bad_memory"),
        ("$.tasks[0].components[3].image", "bad_image"),
        ("$.tasks[0].components[3].retries", "wrong_type"),
        ("$.tasks[0].workflow", "cycle"),
        ("$.training_config.gamma", "out_of_range"),
    ]


def test_a_misspelt_id_is_not_reported_twice() -> None:
    broken = app(task("T", ["A", "B"], [("A", "B")]))
    broken["tasks"][0]["components"][0]["componentid"] = broken["tasks"][0]["components"][0].pop("component_id")
    assert sorted(code for _, code in found(broken)) == ["missing_field", "misspelt_field"]


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"app_id": "../etc"}, "$.app_id", "bad_id"),
        ({"app_id": "A\n"}, "$.app_id", "bad_id"),
        ({"app_id": "a" * 65}, "$.app_id", "bad_id"),
        ({"name": " "}, "$.name", "bad_format"),
        ({"name": "a\nb"}, "$.name", "bad_format"),
        ({"name": ""}, "$.name", "wrong_length"),
        ({"version": "1 0"}, "$.version", "bad_format"),
        ({"tasks": []}, "$.tasks", "no_tasks"),
        ({"tasks": {}}, "$.tasks", "wrong_type"),
        ({"env_vars": {"A": 1}}, "$.env_vars.A", "wrong_type"),
        ({"execution": "both"}, "$.execution", "not_allowed"),
        ({"storage": {"type": "tape", "path": "/a"}}, "$.storage.type", "not_allowed"),
        ({"storage": {"type": "distributed", "path": "/a/../b"}}, "$.storage.path", "bad_storage_path"),
        ({"storage": {"type": "distributed", "path": "a"}}, "$.storage.path", "bad_storage_path"),
        ({"storage": {"type": "distributed", "path": "/a//b"}}, "$.storage.path", "bad_storage_path"),
        ({"storage": {"type": "distributed", "path": "/a\nb"}}, "$.storage.path", "bad_storage_path"),
        ({"created_at": "yesterday"}, "$.created_at", "bad_format"),
        ({"training_config": {"episodes": 0}}, "$.training_config.episodes", "out_of_range"),
        ({"training_config": {"episodes": True}}, "$.training_config.episodes", "wrong_type"),
        ({"training_config": {"learning_rate": 0}}, "$.training_config.learning_rate", "out_of_range"),
        (
            {"training_config": {"goal_conditions": [{"metric": "reward", "op": "==", "value": 1}]}},
            "$.training_config.goal_conditions[0].op",
            "not_allowed",
        ),
        ({"imported_apps": [{"app_ref": "X", "name": "x"}] * 2}, "$.imported_apps[1].app_ref", "duplicate_import"),
    ],
)
def test_app_fields(change: dict[str, Any], place: str, code: str) -> None:
    assert found(app(task("T", ["A"])) | change) == [(place, code)]


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"resources": {}}, ".resources.memory", "missing_field"),
        ({"resources": {"memory": "0GB"}}, ".resources.memory", "bad_memory"),
        ({"resources": {"memory": "9" * 30 + "GB"}}, ".resources.memory", "bad_memory"),
        ({"resources": {"memory": 64}}, ".resources.memory", "wrong_type"),
        ({"resources": {"memory": "1GB", "gpu_count": 1}}, ".resources", "gpu_without_type"),
        (
            {"resources": {"memory": "1GB", "gpu_type": "A100", "gpu_count": 1, "gpu_shards": 1}},
            ".resources",
            "gpus_and_shards",
        ),
        ({"resources": {"memory": "1GB", "gpu_count": -1}}, ".resources.gpu_count", "out_of_range"),
        ({"resources": {"memory": "1GB", "gpu_count": 1.5}}, ".resources.gpu_count", "wrong_type"),
        ({"resources": {"memory": "1GB", "nodes": 0}}, ".resources.nodes", "out_of_range"),
        ({"resources": {"memory": "1GB", "time_limit": "soon"}}, ".resources.time_limit", "bad_duration"),
        ({"resources": {"memory": "1GB", "time_limit": "0s"}}, ".resources.time_limit", "bad_duration"),
        ({"ready": {"file": "../x"}}, ".ready.file", "bad_ready_file"),
        ({"ready": {"file": "/etc/passwd"}}, ".ready.file", "bad_ready_file"),
        ({"ready": {"port": 70000}}, ".ready.port", "not_allowed"),
        ({"params": {"lr": 1, "LR": 2}}, ".params", "param_collision"),
        ({"params": {"": 1}}, ".params", "empty_param"),
        ({"command": "sh -c x"}, ".command", "wrong_type"),
        ({"image": {"registry": "x.io/a:1.0", "tag": "1.0"}}, ".image", "bad_image"),
        ({"image": {"registry": "x.io/a", "tag": "$(id)"}}, ".image", "bad_image"),
        ({"image": {"registry": "x.io/a", "tag": "latest"}}, ".image.tag", "latest_tag"),
        ({"image": {"registry": "x.io/a", "tag": "1", "digest": "sha256:x"}}, ".image.digest", "bad_format"),
        ({"args": ["x" * 32_000] * 33}, "", "environment_too_large"),
    ],
)
def test_component_fields(change: dict[str, Any], place: str, code: str) -> None:
    document = app(task("T", [component("A", **change)]))
    assert found(document) == [(f"$.tasks[0].components[0]{place}", code)]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_pass_where_values_are_free(text: str) -> None:
    document = app(
        task("T", [component("A", params={f"p{text}": text}, args=[text], command=[text])]), env_vars={"GREETING": text}
    )
    loaded = load_spec(json.dumps(document))
    assert loaded.spec.tasks[0].components[0].params == {f"p{text}": text}
    assert loaded.spec.env_vars["GREETING"] == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_shown_on_one_printable_line(text: str) -> None:
    document = app(task("T", [component("A")]), env_vars={text: "x"}) | {text: 1, "app_id": text}
    for problem in problems(document):
        for words in (problem.message_en, problem.message_ko, problem.path):
            assert words.isprintable()
            assert len(words) < 600


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_answered_not_crashed(value: Any) -> None:
    assert found(json.dumps(value))
    assert all(code in CATALOGUE for _, code in found(app(task("T", ["A"])) | {"tasks": value, "x": value}))
    document = app(task("T", [component("A", params={"value": value}, resources=value)]))
    assert all(code in CATALOGUE for _, code in found(document))


def test_a_mapping_with_python_values_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        load_spec(app(task("T", [component("A", params={"x": object()})])))
    with pytest.raises(TypeError):
        load_spec({1: 2})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("document", "place", "code"),
    [
        (app(*[{}] * 201), "$.tasks", "too_many_items"),
        (app(task("T", [{}] * 201)), "$.tasks", "too_many_components"),
        (app(task("T", ["A"]), imported_apps=[{}] * 201), "$.imported_apps", "too_many_items"),
        (app(task("T", ["A"], after=["x"] * 201)), "$.tasks[0].after", "too_many_items"),
        (app(task("T", ["A"], [()] * 39_801)), "$.tasks[0].workflow", "too_many_items"),
    ],
)
def test_a_file_of_too_many_parts_is_not_looked_at_further(document: dict[str, Any], place: str, code: str) -> None:
    assert found(document) == [(place, code)]


MANY = {f"{number}x": 1 for number in range(1000)}


@pytest.mark.parametrize(
    "document",
    [
        app(task("T", ["A"])) | MANY,
        app(task("T", ["A"]), env_vars=MANY),
        app(task("T", ["A"]), env_vars=dict.fromkeys(MANY, "1")),
        app(task("T", ["A"], [("A", f"x{number}") for number in range(1000)])),
        app(task("T", [component("A", params={"x": [float("nan")] * 1000})])),
    ],
)
def test_an_answer_lists_two_hundred_problems_and_says_that_there_are_more(document: dict[str, Any]) -> None:
    codes = [code for _, code in found(document)]
    assert len(codes) == 201
    assert codes[-1] == "more_problems"
