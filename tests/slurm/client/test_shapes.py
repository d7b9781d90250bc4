"""Slurm's texts are read exactly, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.agent import shapes
from slurm.errors import ProtocolError


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", {}),
        ("(null)", {}),
        ("gpu:A100:8", {"gpu:A100": 8}),
        ("gpu:A100:8(S:0-1),shard:tesla_v100:32", {"gpu:A100": 8, "shard": 32}),
        ("gpu:A100:2(IDX:0,3),shard:A100:4(2/4,2/4)", {"gpu:A100": 2, "shard": 4}),
        ("gres/gpu:A100:4", {"gpu:A100": 4}),
        ("gres/shard:2", {"shard": 2}),
        ("gpu:(null):2(IDX:0-1)", {"gpu": 2}),
        ("gpu", {"gpu": 1}),
        ("gpu:1g.10gb:3", {"gpu:1g.10gb": 3}),
        ("bandwidth:lustre:4K", {"bandwidth:lustre": 4096}),
        ("gpu:A100:2,gpu:A100:1", {"gpu:A100": 3}),
    ],
)
def test_gres(text: str, counts: dict[str, int]) -> None:
    assert shapes.gres(text) == counts


@pytest.mark.parametrize("text", ["$(id)", "gpu:A100:-1", "gpu:A100:8;id", "8", ":", "gpu::8 "])
def test_what_is_no_gres(text: str) -> None:
    with pytest.raises(ProtocolError, match="not a GRES"):
        shapes.gres(text)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (shapes.gres, shapes.hosts):
        try:
            read(text)
        except ProtocolError:
            continue


def test_hosts() -> None:
    assert shapes.hosts("gpu[1-2],cpu07") == ("cpu07", "gpu1", "gpu2")
    assert shapes.hosts("") == shapes.hosts("(null)") == ()
    with pytest.raises(ProtocolError):
        shapes.hosts("gpu[1-")


def test_dependency() -> None:
    assert shapes.dependency("afterok:12(unfulfilled),afterany:7(failed)") == "afterok:12,afterany:7"


def test_groups_are_never_resolved() -> None:
    """ "@name" would make the node list library run commands of its own configuration."""
    with pytest.raises(ProtocolError):
        shapes.hosts("@all")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (shapes.text, 5),
        (shapes.text, None),
        (shapes.integer, "5"),
        (shapes.integer, True),
        (shapes.optional, 5),
        (shapes.optional, {"set": True}),
        (shapes.words, "a"),
        (shapes.words, [1]),
        (shapes.records, {}),
    ],
)
def test_a_wrong_shape_names_its_path(read: Any, value: Any) -> None:
    with pytest.raises(ProtocolError, match="a/b"):
        read({"a": {"b": value}}, "a/b")


def test_a_missing_field_names_its_path() -> None:
    with pytest.raises(ProtocolError, match="a/c: missing"):
        shapes.field({"a": {"b": 1}}, "a/c")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_795_510_357, 1_795_510_357),
        (0, None),
        (4_294_967_294, None),
        ({"set": True, "infinite": False, "number": 7}, 7),
        ({"set": False, "infinite": False, "number": 7}, None),
        ({"set": True, "infinite": True, "number": 7}, None),
    ],
)
def test_moments(value: Any, seconds: int | None) -> None:
    assert shapes.moment({"t": value}, "t") == seconds
