"""Which of Slurm's types each GPU of a node is: told by its model, and by counts that must agree."""

from __future__ import annotations

import pytest

from portal.domain.gpuuse import types_of

A100, A10, V100 = "NVIDIA A100-SXM4-80GB", "NVIDIA A10", "Tesla V100-SXM2-32GB"


@pytest.mark.parametrize(
    ("models", "totals", "found"),
    [
        ([A100, V100, V100], {"A100": 1, "V100": 2}, ("A100", "V100", "V100")),
        ([A10, A100], {"A10": 1, "A100": 1}, ("A10", "A100")),
        (["Simulated A100", "Simulated V100"], {"A100": 1, "V100": 1}, ("A100", "V100")),
        ([A100, "NVIDIA A100-SXM4-40GB"], {"A100": 1, "A100-80GB": 1}, ("A100-80GB", "A100")),
        ([A100, V100], {"tesla_v100": 1, "A100": 1}, ("A100", "tesla_v100")),
        (["anything", "else"], {"A100": 2}, ("A100", "A100")),
    ],
)
def test_told_by_the_model(models: list[str], totals: dict[str, int], found: tuple[str, ...]) -> None:
    assert types_of(models, totals) == found


@pytest.mark.parametrize(
    ("models", "totals"),
    [
        ([A100, V100], {"A100": 2, "V100": 1}),
        ([A100], {"A100": 2}),
        ([A100, V100], {"big": 1, "small": 1}),
        ([A100, A100], {"A100": 1, "80GB": 1}),
        ([], {}),
    ],
)
def test_not_told_where_counts_or_words_do_not_agree(models: list[str], totals: dict[str, int]) -> None:
    assert not types_of(models, totals)
