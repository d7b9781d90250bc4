"""What starting `one` costs, beside importing the two libraries that it is made of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.figures import Figure, Part
from lab.hosts import portal_url
from lab.people import token

RUNS = 15
ONE = str(Path(sys.executable).with_name("one"))
COMMANDS = {
    "import": (sys.executable, "-c", "import typer, rich"),
    "help": (ONE, "--help"),
    "list": (ONE, "list"),
}


def measure() -> Part:
    """Medians of runs in turns: import, help, list, import, ..."""
    environment = {**os.environ, "ONE_URL": portal_url(), "ONE_TOKEN": token("kim"), "ONE_LANG": "en"}
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(RUNS + 1):
        for name, command in COMMANDS.items():
            began = perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if turn:  # the first turn fills the caches
                seconds[name].append(perf_counter() - began)
    typical = {name: median(found) * 1000 for name, found in seconds.items()}
    return Part(
        "commandline",
        f"Starting the command line, medians of {RUNS} turns",
        (
            Figure('python -c "import typer, rich"', typical["import"], "ms"),
            Figure("one --help", typical["help"], "ms"),
            Figure("ratio", typical["help"] / typical["import"], "", at_most=1.5),
            Figure("one list (with the portal's answer)", typical["list"], "ms"),
            Figure("ratio", typical["list"] / typical["import"], "", at_most=2.5),
        ),
    )
