"""python -m bench [--parts ...]: measures the road's cost, prints a table, writes docs/benchmarks.json and .md."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import machine, report
from bench.figures import Figure, Part
from bench.page import page, table
from bench.pages import drawing, serving, watching
from bench.road import commandline, conversion, delay, flat, handover, memory
from bench.road.lab import cancel_all, without_limits

DOCS = Path(__file__).resolve().parents[1] / "docs"
JSON, PAGE = DOCS / "benchmarks.json", DOCS / "benchmarks.md"
WITHOUT_LAB = {"memory", "pages", "watchers", "builder"}
LEVELS = (10, 1_000, 10_000, 50_000)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; a part that breaks is told and shown as not measured, and makes the exit code 1."""
    arguments = _arguments(argv)
    measures: dict[str, Callable[[], Part]] = {
        "commandline": commandline.measure,
        "delay": delay.measure,
        "handover": lambda: handover.measure(arguments.workloads),
        "conversion": lambda: conversion.measure(arguments.image_mib),
        "flat": lambda: flat.measure([level for level in LEVELS if level <= arguments.most_jobs]),
        "memory": lambda: memory.measure(arguments.simulated),
        "pages": lambda: serving.measure(arguments.runs, arguments.apps),
        "watchers": lambda: watching.measure(arguments.most_jobs),
        "builder": lambda: drawing.measure(arguments.components),
    }
    wanted = arguments.parts.split(",") if arguments.parts else [*measures, "plan"]
    document: dict[str, Any] = json.loads(JSON.read_text()) if JSON.exists() else {"parts": {}, "plan": ""}
    chosen = [name for name in measures if name in wanted]
    on_the_lab = set(chosen) - WITHOUT_LAB
    if on_the_lab:
        cancel_all()
    with without_limits() if on_the_lab else contextlib.nullcontext():
        done = [_measured(name, measures[name], document) for name in chosen]
    if "plan" in wanted:
        document["plan"] = _plan()
        print(document["plan"])
        _write(document)
    return int(not all(done))


def _measured(name: str, measure: Callable[[], Part], document: dict[str, Any]) -> bool:
    """Measure one part and write it down; False when it broke."""
    where, began = machine.described(), time.monotonic()
    try:
        part = measure()
    except Exception as error:
        traceback.print_exc()
        part = Part(name, name, (), text=f"Not measured: {str(error)[:300]}")
    print(table([part]), f"\n  ({name}: {time.monotonic() - began:.0f} s)", flush=True)
    document["parts"][name] = _kept(part, where)
    _write(document)
    return bool(part.figures)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--parts",
        default="",
        help="commandline,delay,handover,conversion,flat,memory,pages,watchers,builder,plan; default: all",
    )
    parser.add_argument("--workloads", type=int, default=1000, help="hand-over: how many (default 1000)")
    parser.add_argument("--image-mib", type=int, default=520, help="conversion: the image's size (default 520)")
    parser.add_argument(
        "--most-jobs", type=int, default=50_000, help="flat, watchers: the highest level (default 50000)"
    )
    parser.add_argument(
        "--simulated", type=int, default=2_000, help="memory: workloads (default 2000; the target says 100000)"
    )
    parser.add_argument("--runs", type=int, default=10_000, help="pages: runs in the database (default 10000)")
    parser.add_argument("--apps", type=int, default=2_000, help="pages: Apps in the database (default 2000)")
    parser.add_argument("--components", type=int, default=200, help="builder: components on the canvas (default 200)")
    return parser.parse_args(argv)


def _plan() -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        report.main([])
    return said.getvalue()


def _kept(part: Part, where: dict[str, str]) -> dict[str, Any]:
    figures = [figure.as_json() for figure in part.figures]
    return {"title": part.title, "text": part.text, "machine": where, "figures": figures}


def _write(document: dict[str, Any]) -> None:
    parts = [_part(name, kept) for name, kept in document["parts"].items()]
    machines = {name: kept["machine"] for name, kept in document["parts"].items()}
    for path, text in (
        (JSON, json.dumps(document, indent=1, ensure_ascii=False) + "\n"),
        (PAGE, page(parts, machines, document["plan"])),
    ):
        new = path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, path)


def _part(name: str, kept: dict[str, Any]) -> Part:
    figures = (
        Figure(one["what"], one["value"], one["unit"], at_least=one["atLeast"], at_most=one["atMost"], note=one["note"])
        for one in kept["figures"]
    )
    return Part(name, kept["title"], tuple(figures), kept["text"])


if __name__ == "__main__":
    sys.exit(main())
