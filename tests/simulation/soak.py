"""Many schedules, one after another seed, on all cores: `make soak`, or one again: `--seed N`.

python -m tests.simulation.soak --schedules 100000 --first 0 --processes 2
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.db.engine import migrate
from tests.simulation.schedule import Broken, Schedule, site

EVERY = 100


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder in memory where there is one, with a migrated database to copy."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="one-soak-", dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        _migrated(folder)
        yield folder


def _migrated(folder: Path) -> None:
    import asyncio

    asyncio.run(migrate(site(folder)))
    (folder / "one.db").rename(folder / "template.db")


def run(seed: int, folder: Path) -> str:
    """One schedule in a folder of its own below `folder`; "" or what is broken."""
    mine = folder / f"s{seed}"
    mine.mkdir()
    try:
        Schedule(seed, mine, folder / "template.db").run()
    except Broken as broken:
        return str(broken)
    finally:
        shutil.rmtree(mine)
    return ""


def _job(task: tuple[int, str]) -> tuple[int, str]:
    seed, folder = task
    return seed, run(seed, Path(folder))


def main() -> None:
    """Exits 1 at the first broken schedule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--keep-going", action="store_true", help="report every broken schedule")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.schedules) if given.seed is None else (given.seed,)
    started, broken = time.monotonic(), 0
    with workplace() as folder, multiprocessing.Pool(1 if len(seeds) == 1 else given.processes) as pool:
        found = pool.imap_unordered(_job, ((seed, str(folder)) for seed in seeds), chunksize=8)
        for done, (_, text) in enumerate(found, 1):
            if text:
                broken += 1
                print(text, flush=True)
                if not given.keep_going:
                    pool.terminate()
                    break
            if done % EVERY == 0:
                print(
                    f"{done} schedules, {broken} broken, {done / (time.monotonic() - started):.1f} a second", flush=True
                )
        print(f"{done} schedules, {broken} broken, {time.monotonic() - started:.0f} s")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
