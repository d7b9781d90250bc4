"""Memory over many workloads of simulated work: web and daemon on the fake Slurm, the agent's verbs on a fake slurmrestd.

Simulated: the cluster (`slurm.fake`, which forgets what has ended), S3 (nothing is kept), registry, conversion and the
runner (its events are written, its jobs end well, no model). Real: the use cases behind POST and GET, all loops of the daemon,
SQLite in a file; the agent's permit, ledger, bodies and parsing. Web's HTTP layer, PySlurm and slurmrestd are not in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median

from bench.figures import Figure, Part

PROGRAMS = {"web and daemon": "bench.simulated.portal", "agent": "bench.simulated.agent"}
FLAT = 1.05
SIMULATED = (__doc__ or "").partition("\n\n")[2].strip()


def measure(workloads: int) -> Part:
    """Resident memory once a tenth has gone through, and at the end."""
    figures: list[Figure] = []
    for name, module in PROGRAMS.items():
        said = subprocess.run(
            [sys.executable, "-m", module, str(workloads)], check=True, stdout=subprocess.PIPE, text=True
        )
        samples = [float(line) for line in json.loads(said.stdout.splitlines()[-1])]
        tenth = max(1, len(samples) // 10)
        early, late = median(samples[tenth : 2 * tenth + 1]), median(samples[-tenth:])
        figures.append(Figure(f"{name}: resident after a tenth", early, "MiB"))
        figures.append(Figure(f"{name}: resident at the end", late, "MiB", at_most=early * FLAT))
    return Part("memory", f"Memory over {workloads:,} simulated workloads", tuple(figures), text=SIMULATED)
