"""The benchmark's findings as a table for the terminal and as docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.figures import Figure, Part

INTRODUCTION = """# Benchmarks

`make bench` measures what the road costs on the lab (`make up` first), prints this table, writes `docs/benchmarks.json` and
this page. Each ratio is of one run: the baseline is measured in turns with what it is compared to, on the same machine, which
also runs the whole cluster. Missed targets are named; a part that could not be measured says so. Parts can be run alone, and
the page keeps the others' last figures: `.venv/bin/python -m bench --parts handover,delay` (`--help` lists the sizes).
"""

CAUSES = {
    "handover": (
        "daemon, PostgreSQL, agent, slurmrestd and slurmctld share the two cores that plain submissions have for"
        " themselves, and slurmctld with slurmrestd alone takes 10 ms of CPU a workload (128 workloads, 2026-11-29,"
        " /proc/PID/stat: daemon 19, PostgreSQL 15, web 7, agent 6, MinIO 3 beside it). Writing a batch's rows together,"
        " statements that stay prepared and scripts compressed once made it 0.46 of plain REST, which was 0.38."
    ),
    "pages": (
        "their medians are 85 to 90 ms; of thirty turns one or two are slower. Before a web process froze its beginnings"
        " (portal/heap.py), full garbage collections of 0.3 s and more made p95 of up to 1.2 s on any page."
    ),
    "watchers": (
        "after a change among the outside jobs a web process reads all of them anew, once for everybody: 6.6 MB of JSON,"
        " 0.1 to 0.3 s alone (2026-11-30), and who asks in that moment waits. It is so with one watcher too (p95 0.47 s)."
    ),
}
"""What is known of why a target is missed."""


def table(parts: Sequence[Part]) -> str:
    """For the terminal."""
    lines = []
    for part in parts:
        lines += ["", part.title]
        lines += [
            f"  {one.what:62} {one.text:>14} {one.target:>9} {one.verdict:7} {one.note}".rstrip()
            for one in part.figures
        ]
    return "\n".join(lines)


def page(parts: Sequence[Part], machines: Mapping[str, Mapping[str, str]], plan: str) -> str:
    """docs/benchmarks.md; `machines` says for each part where and when it was measured."""
    blocks = [INTRODUCTION]
    for part in parts:
        machine = machines[part.name]
        blocks.append(f"## {part.title}")
        if part.figures:
            blocks.append(f"{'. '.join(machine.values())}.")
        if part.text:
            blocks.append(part.text)
        if any(figure.verdict == "missed" for figure in part.figures) and part.name in CAUSES:
            blocks.append(f"Missed, because: {CAUSES[part.name]}")
        if part.figures:
            blocks.append("| what | value | target | |\n|---|---:|---:|---|\n" + "\n".join(map(_row, part.figures)))
    if plan:
        blocks.append(
            f"## The plan against one group a component\n\ndocs/plan.md explains the columns.\n\n```\n{plan.strip()}\n```"
        )
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _row(one: Figure) -> str:
    verdict = f"**{one.verdict}**" if one.verdict == "missed" else one.verdict
    said = ": ".join(text for text in (verdict, one.note) if text)
    return f"| {one.what} | {one.text} | {one.target} | {said} |"
