"""The demo's container images, as the examples' own build script makes and caches them."""

from __future__ import annotations

import sys
from pathlib import Path

from onelab.cache import Cache
from onelab.commands import ENDS_WITH_US, run
from onelab.progress import Progress

SCRIPT = Path("examples/images/build.py")
BUILD_TIMEOUT_S = 1800


def build_images(cache: Cache, checkout: Path, progress: Progress) -> Path:
    """Return the folder with one OCI layout an image; its name has a hash of all it is made of.

    Raises: CommandFailed.
    """
    with progress.step("demo images"):
        argv = [*ENDS_WITH_US, sys.executable, str(checkout / SCRIPT), str(cache.root)]
        return Path(run(argv, cwd=checkout, timeout_s=BUILD_TIMEOUT_S).splitlines()[-1])
