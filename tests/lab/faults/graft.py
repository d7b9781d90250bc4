"""Shows a tree of this machine on a running host of the lab too: python3 graft.py TREE HOST_ROOT TARGET

What `mount --bind` does within one mount namespace: the same file system, mounted at TARGET in the namespace of the host.
Both calls are younger than most libraries' names for them. Standard library only; one thread, or setns is refused.
"""

import ctypes
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab"))
from onelab.processes import find_machine

OPEN_TREE, MOVE_MOUNT = 428, 429
AT_FDCWD, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 1, 4
CLONE_NEWNS = 0x00020000

libc = ctypes.CDLL(None, use_errno=True)


def call(*arguments: object) -> int:
    """A system call's or function's answer. Raises OSError."""
    function, *rest = arguments
    answer: int = function(*rest)  # type: ignore[operator]
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


tree, root, target = sys.argv[1:]
machine = find_machine(Path(root))
if machine is None:
    sys.exit(f"{root}: no host runs there")
namespace = os.open(f"/proc/{machine.init_pid}/ns/mnt", os.O_RDONLY)
copy = call(libc.syscall, OPEN_TREE, AT_FDCWD, tree.encode(), OPEN_TREE_CLONE)
call(libc.setns, namespace, CLONE_NEWNS)
call(libc.syscall, MOVE_MOUNT, copy, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH)
