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
    "commandline": (
        "`one list`: typer 0.29.2 imports pydantic when it reads a command's arguments, and the HTTP client is imported too"
        " (`python -X importtime`); the portal's answer is in it as well. `one --help` needs none of them."
    ),
    "handover": (
        "daemon, PostgreSQL, agent, slurmrestd and slurmctld share the two cores that plain submissions have for"
        " themselves. A batch is begun, submitted and written down in that order: the agent's log shows submissions at 60 to"
        " 80 a second within a batch and a second or more between two of them, when plans are made and intents written. End"
        " to end, each POST plans the App once more, and one loop resolves, stores and commits one workload after another."
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
