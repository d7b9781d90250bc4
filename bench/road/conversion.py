"""Conversion: an image of 500 MiB and more by the portal's converter, beside plain `apptainer build` of the same image."""

from __future__ import annotations

from bench.figures import Figure, Part
from bench.road.lab import program


def measure(mib: int) -> Part:
    """Plain, ours, ours again, plain, of one image."""
    found = program("conversion", str(mib))
    plain = sum(found["plain"]) / len(found["plain"])
    turns = ", ".join(f"{seconds:.1f} s" for seconds in found["plain"])
    return Part(
        "conversion",
        f"Conversion of an image of {found['bytes'] / 1e6:,.0f} MB",
        (
            Figure("plain apptainer build", plain, "s", note=f"before and after: {turns}"),
            Figure("apptainer build with the converter's words (zstd)", found["alike"], "s"),
            Figure("converter, first time", found["first"], "s"),
            Figure("ratio, first time", found["first"] / plain, "", at_most=1.05),
            Figure("ratio, second time", found["again"] / plain, "", at_most=0.02, note=f"{found['again']:.3f} s"),
        ),
    )
