"""The example App's training data on the shared file system: kim's own, made once by the example's script."""

from __future__ import annotations

import os
import sys

from onelab.cache import remove
from onelab.commands import run
from onelab.layout import Layout

SCRIPT = "examples/rl-design-opt/make_training_data.py"
SHARE = "/training-data"
NAME = "rl-design-opt-v1"
OWNER = 2001  # kim, uid and gid: ansible/inventories/lab/group_vars
TIMEOUT_S = 60


def make_training_data(layout: Layout) -> None:
    """Make the folder that examples/rl-design-opt/app.json names, whole or not at all.

    Raises: CommandFailed.
    """
    target = layout.shares[SHARE] / NAME
    if target.exists():
        return
    making = target.with_name(f".{NAME}.making")
    remove(making)
    run([sys.executable, str(layout.checkout / SCRIPT), str(making)], timeout_s=TIMEOUT_S)
    for path in (making, *making.iterdir()):
        path.chmod(0o750 if path.is_dir() else 0o640)
        os.chown(path, OWNER, OWNER)
    making.rename(target)
