"""The Trainer's top line over the table of components (D4): it is the column's maximum, and changing it changes the column.

top([2, 4, None]) -> 4                    None is what cannot be read, and stays as it is
with_top([2, 4, 4], 5) -> [2, 5, 5]       raising changes those that hold the maximum
with_top([2, 4, 1], 2) -> [2, 2, 1]       lowering caps all that are above
"""

from __future__ import annotations

from collections.abc import Sequence


def top(values: Sequence[int | None]) -> int | None:
    """The column's maximum; None where nothing can be read."""
    return max((value for value in values if value is not None), default=None)


def with_top(values: Sequence[int | None], wanted: int) -> list[int | None]:
    """The column after somebody set its maximum to `wanted`."""
    most = top(values)
    if most is None or wanted == most:
        return list(values)
    if wanted > most:
        return [wanted if value == most else value for value in values]
    return [None if value is None else min(value, wanted) for value in values]


def top_type(types: Sequence[str], gpus: Sequence[int | None]) -> str:
    """The type of the component with most GPUs, of equal ones the first; "" without any component."""
    most = top(gpus)
    holders = [kind for kind, count in zip(types, gpus, strict=True) if count == most]
    return (holders or [""])[0]


def with_top_type(types: Sequence[str], before: str, wanted: str) -> list[str]:
    """All components of the type that was on top change to the wanted one."""
    return [wanted if kind == before else kind for kind in types]
