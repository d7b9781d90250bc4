"""The Trainer's top line is the column's maximum, and changing it changes the column (D4)."""

from __future__ import annotations

import pytest

from portal.domain.topline import top, top_type, with_top, with_top_type


@pytest.mark.parametrize(
    ("column", "wanted", "after"),
    [
        ([2, 4, 1], 5, [2, 5, 1]),
        ([2, 4, 4], 5, [2, 5, 5]),
        ([2, 4, 1], 2, [2, 2, 1]),
        ([2, 4, 1], 0, [0, 0, 0]),
        ([2, 4], 4, [2, 4]),
        ([2, None, 4], 3, [2, None, 3]),
        ([None], 3, [None]),
        ([], 3, []),
    ],
)
def test_raising_and_capping(column: list[int | None], wanted: int, after: list[int | None]) -> None:
    changed = with_top(column, wanted)
    assert changed == after
    assert top(changed) == (wanted if top(column) is not None else None)


def test_the_type_is_that_of_most_gpus_and_of_equal_ones_the_first() -> None:
    assert top_type(["V100", "A100", "V100"], [2, 4, 4]) == "A100"
    assert top_type([], []) == ""
    assert with_top_type(["V100", "A100", ""], "A100", "H100") == ["V100", "H100", ""]
