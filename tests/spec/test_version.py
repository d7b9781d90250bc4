"""Versions are ordered as people read them, and the next one is always higher."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.spec.version import next_version, version_key


def test_numbers_count_as_numbers() -> None:
    ordered = ["0.9", "1.0.rc", "1.0.0", "1.2.0", "1.10.0", "2"]
    shuffled = [ordered[index] for index in (3, 0, 5, 1, 4, 2)]
    assert sorted(shuffled, key=version_key) == ordered


@pytest.mark.parametrize(
    ("version", "after"),
    [("1.0.0", "1.1.0"), ("1.2.7", "1.3.0"), ("2", "3"), ("v9", "v10"), ("1.9", "1.10"), ("beta", "beta.1")],
)
def test_the_next_version(version: str, after: str) -> None:
    assert next_version(version) == after


@given(st.from_regex(re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,40}", re.ASCII), fullmatch=True))
def test_the_next_version_is_higher(version: str) -> None:
    assert version_key(next_version(version)) > version_key(version)
