"""What /proc tells about the step's own processes: the tree, its use of the node, who listens where (Python 3.6)."""

import os
import subprocess
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set

LISTEN = "0A"
NVIDIA_SMI_TIMEOUT_S = 5
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CGROUP_ROOT = "/sys/fs/cgroup"


class Process(NamedTuple):
    """One process: its parent, CPU seconds (with those of its reaped children), resident memory in MiB."""

    parent: int
    cpu_s: float
    rss_mib: float


def read_text(path: str) -> Optional[str]:
    """A small file's text, or None: a process may end, or belong to somebody else, while it is looked at."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def parse_stat(text: str) -> Process:
    """One /proc/<pid>/stat: `7 (a name) S 1 7 7 0 -1 4194560 ...`; the name may contain anything, `)` too.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    fields = text[text.rindex(")") + 1 :].split()
    ticks = sum(int(field) for field in fields[11:15])
    return Process(int(fields[1]), ticks / _TICKS_PER_S, int(fields[21]) * _PAGE_BYTES / 1048576)


def all_processes() -> Dict[int, Process]:
    """Every process of the node that may be seen, by pid."""
    stats = ((int(name), read_text("/proc/%s/stat" % name)) for name in os.listdir("/proc") if name.isdigit())
    return {pid: parse_stat(text) for pid, text in stats if text}


def tree_of(root: int, processes: Dict[int, Process]) -> List[int]:
    """`root` and all its descendants, parents first."""
    children: Dict[int, List[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    tree = [root]
    for pid in tree:
        tree.extend(children.get(pid, []))
    return tree


def listening_inodes(port: int) -> Set[str]:
    """Socket inodes of all TCP listeners on `port` of this node, IPv4 and IPv6.

    Source: https://docs.kernel.org/networking/proc_net_tcp.html
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in (read_text(table) or "").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(fields[9])
    return inodes


def holds_socket(pids: Iterable[int], inodes: Set[str]) -> bool:
    """Whether one of the processes has one of the sockets open."""
    wanted = {"socket:[%s]" % inode for inode in inodes}
    return any(link in wanted for pid in pids for link in _open_files(pid))


def _open_files(pid: int) -> List[str]:
    """Where the descriptors of a process point; one that closes meanwhile, or a process that ended, is left out."""
    folder = "/proc/%d/fd" % pid
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [_target(os.path.join(folder, name)) for name in names]


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def oom_kills(own_cgroup: Optional[str] = None, root: str = _CGROUP_ROOT) -> int:
    """How many processes of the launcher's own cgroup (version 2) the kernel killed for memory; 0 where unknown.

    `own_cgroup` is the text of /proc/self/cgroup, for example `0::/system.slice/slurmstepd.scope/job_7/step_1/task_0`.
    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events)
    """
    text = read_text("/proc/self/cgroup") if own_cgroup is None else own_cgroup
    for line in (text or "").splitlines():
        if line.startswith("0::"):
            events = read_text(os.path.join(root, line[3:].lstrip("/"), "memory.events")) or ""
            counts = dict(entry.split() for entry in events.splitlines())
            return int(counts.get("oom_kill", 0))
    return 0


def gpu_use(devices: str) -> Optional[List[Dict[str, Any]]]:
    """Utilisation (percent) and memory (MiB) of the step's GPUs as nvidia-smi tells them; None where it cannot.

    `devices` is CUDA_VISIBLE_DEVICES ("0,1"). A line of the answer: `0, 37, 5120`.
    """
    query = ["nvidia-smi", "--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            [*query, "--id=" + devices],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=NVIDIA_SMI_TIMEOUT_S,
            universal_newlines=True,
            check=True,
        ).stdout
        rows = [[int(field) for field in line.split(",")] for line in answer.splitlines()]
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return [{"index": index, "util": util, "mem_mib": memory} for index, util, memory in rows]
