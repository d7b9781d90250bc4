"""Writes docs/faults.md from the stories that the last run of the fault tests kept: python -m tests.lab.faults.report"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.hosts import ROOT
from tests.lab.faults.stories import recorded

PAGE = ROOT / "docs" / "faults.md"
INTRO = """# Faults: what was broken on the real lab, and what portal and Slurm said meanwhile

`tests/lab/faults` breaks the lab in one way a test, lets the work end, and asks `one doctor --reconcile` until portal, Slurm,
accounting and S3 agree; every test ends with that. While it goes on a thread looks once a second at the portal's API and at
`squeue`, and keeps what changed. This page is made of what the tests kept (`make faults`), nothing on it is written by hand.

Left: seconds since the test began. Then the workload's name in the test, its state and phase in the portal, and after `|` what
squeue lists of its jobs (`id STATE`, every component; `-`: nothing, `no answer`: slurmctld is away). Lines with `>` are what
the test did. A payload of these tests goes on until the test lets it end, so the times are the test's, not the portal's.
"""


def page(stories: list[dict[str, Any]]) -> str:
    """The whole document."""
    return "\n".join([INTRO, *(line for story in stories for line in section(story))]) + "\n"


def section(story: dict[str, Any]) -> Iterator[str]:
    """One test: its title, when it ran, its timeline."""
    yield f"## {story['title'].rstrip('.')}"
    yield f"\n`{story['name']}`, {story['at']}\n"
    width = max((len(line["who"]) for line in story["lines"] if "who" in line), default=0)
    states = max((len(line["portal"]) for line in story["lines"] if "who" in line), default=0)
    for line in story["lines"]:
        at = f"    {line['t']:6.0f} s  "
        if "note" in line:
            yield f"{at}> {line['note']}"
        else:
            yield f"{at}{line['who']:<{width}}  {line['portal']:<{states}} | {line['slurm']}"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(recorded()))
