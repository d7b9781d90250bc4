"""Tests a compute node for what no lab can show: `one doctor --node` runs it here, or prints it for a job (Python 3.6).

Every check answers `ok`, `failed` (with its cure) or `unknown` (with why it cannot be told here): unknown is never ok.
In a job (`srun`, `sbatch`) it starts small steps of its own; without one what needs a step is unknown.
"""

import argparse
import json
import os
import pwd
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Callable, Dict, List, NamedTuple, Sequence

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
TIMEOUT_S = 120
NO_PROGRAM, NO_END = 127, 124
STEP_MIB, EATEN_MIB = 64, 512
MAX_SKEW_S = 5
"""munge refuses credentials that are 5 min off; metrics of the same moment look wrong long before."""
GPU_DEVICE = re.compile(r"nvidia\d+\Z")
BEGUN, SURVIVED = "begun", "survived"
EAT = (
    "import sys\nprint('%s', flush=True)\nheld = bytearray(%d << 20)\n"
    "for at in range(0, len(held), 4096):\n    held[at] = 1\nprint('%s', flush=True)\n"
) % (BEGUN, EATEN_MIB, SURVIVED)
OPEN_GPUS = (
    "import os, re\nfor name in sorted(os.listdir('/dev')):\n"
    "    if re.match(r'nvidia\\d+\\Z', name):\n        try:\n"
    "            os.close(os.open('/dev/' + name, os.O_RDWR))\n            print('open', name)\n"
    "        except OSError as error:\n            print('closed', name, error.errno)\nprint('%s')\n"
) % SURVIVED
Result = NamedTuple("Result", [("name", str), ("status", str), ("says", str), ("cure", str)])
Ran = NamedTuple("Ran", [("code", int), ("out", str), ("err", str)])
Wanted = NamedTuple("Wanted", [("user", str), ("folders", Sequence[str]), ("image", str), ("dcgm", str)])


class Node:
    """The node that this runs on, as far as the checks ask it."""

    def run(self, *words: str) -> Ran:
        """A program and what came of it; 127 where there is none, 124 without an end. Nothing goes through a shell."""
        env = dict(os.environ, LC_ALL="C", SLURM_TIME_FORMAT="standard")
        try:
            ran = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=TIMEOUT_S,
                env=env,
            )
        except OSError as error:
            return Ran(NO_PROGRAM, "", "%s: %s" % (words[0], error.strerror))
        except subprocess.TimeoutExpired:
            return Ran(NO_END, "", "%s: no end within %d s" % (words[0], TIMEOUT_S))
        return Ran(ran.returncode, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"))

    def job(self) -> str:
        """The id of the job that this runs in, "" outside of one."""
        return os.environ.get("SLURM_JOB_ID", "")

    def gpu_devices(self) -> List[str]:
        """Names of the GPU devices in /dev, whether they can be opened or not."""
        return sorted(name for name in os.listdir("/dev") if GPU_DEVICE.match(name))

    def get(self, url: str) -> str:
        """The body of an HTTP answer. Raises OSError."""
        with urllib.request.urlopen(url, timeout=10) as answer:  # an address that the administrator gave
            return str(answer.read(1 << 20).decode("utf-8", "replace"))

    def clock(self) -> float:
        """Seconds since 1970 by this node's clock."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def write_as(self, user: str, folder: str) -> str:
        """Make, read and remove a file in a folder as this user ("": who runs this); "" or what went wrong."""
        child_read, child_write = os.pipe()
        child = os.fork()
        if child == 0:
            said = _written(user, folder)
            os.write(child_write, said.encode("utf-8", "replace")[:4000])
            os._exit(0)
        os.close(child_write)
        with os.fdopen(child_read, "rb") as pipe:
            said = pipe.read().decode("utf-8", "replace")
        os.waitpid(child, 0)
        return said


def _written(user: str, folder: str) -> str:
    path = os.path.join(folder, ".one-node-check-%d" % os.getpid())
    try:
        if user:
            entry = pwd.getpwnam(user)
            os.initgroups(user, entry.pw_gid)
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        with open(path, "x") as file:
            file.write("one")
            file.flush()
            os.fsync(file.fileno())
        try:
            with open(path) as file:
                return "" if file.read() == "one" else "what was written is not what is read"
        finally:
            os.unlink(path)
    except KeyError:
        return "no such Unix user: %s" % user
    except OSError as error:
        return str(error)


def step(node: Node, code: str, *options: str) -> Ran:
    """Python in a step of this job, on this node; it shares the job's CPUs with whatever runs."""
    words = ["srun", "--overlap", "--exact", "--nodes=1", "--ntasks=1", "--cpus-per-task=1", "--input=none"]
    name = os.environ.get("SLURMD_NODENAME", "")
    return node.run(*words, *(["--nodelist=" + name] if name else []), *options, sys.executable, "-I", "-c", code)


def last_line(ran: Ran) -> str:
    """What a program said at last."""
    lines = [line for line in (ran.err or ran.out).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "exit %d" % ran.code


NO_JOB = "not in a job; run it as one: srun --mem=1G --gres=gpu:1 python3 FILE (one doctor --node --print > FILE)"


def memory(node: Node, _: Wanted) -> Result:
    """A step that takes more memory than it has is killed."""
    if not node.job():
        return Result("memory limit", UNKNOWN, NO_JOB, "")
    ran = step(node, EAT, "--mem=%dM" % STEP_MIB, "--gres=none")
    said = ran.out.split()
    if BEGUN not in said or ran.code == NO_END:
        return Result("memory limit", UNKNOWN, "the step did not start, or did not end: " + last_line(ran), "")
    if SURVIVED in said:
        says = "a step of %d MiB took %d MiB and went on" % (STEP_MIB, EATEN_MIB)
        cure = (
            "cgroup.conf: ConstrainRAMSpace=yes (and ConstrainSwapSpace=yes); slurm.conf: TaskPlugin=task/cgroup and a "
        )
        return Result("memory limit", FAILED, says, cure + "SelectTypeParameters with _Memory; then restart slurmd")
    return Result("memory limit", OK, "a step of %d MiB was ended when it took more" % STEP_MIB, "")


def foreign_gpus(node: Node, _: Wanted) -> Result:
    """A step without GPUs can open none."""
    name, devices = "foreign GPUs", node.gpu_devices()
    if not devices:
        return Result(name, UNKNOWN, "no GPU device in /dev", "")
    if not node.job():
        return Result(name, UNKNOWN, NO_JOB, "")
    ran = step(node, OPEN_GPUS, "--mem=%dM" % STEP_MIB, "--gres=none")
    if SURVIVED not in ran.out.split():
        return Result(name, UNKNOWN, "the step did not start: " + last_line(ran), "")
    seen = [line.split()[1] for line in ran.out.splitlines() if line.startswith("open ")]
    if seen:
        cure = "cgroup.conf: ConstrainDevices=yes; gres.conf: File= of every GPU (or AutoDetect); then restart slurmd"
        return Result(name, FAILED, "a step without GPUs opened " + ", ".join(seen), cure)
    return Result(name, OK, "a step without GPUs opened none of %d" % len(devices), "")


def apptainer(node: Node, wanted: Wanted) -> Result:
    """A container starts."""
    version = node.run("apptainer", "--version")
    if version.code:
        return Result("apptainer", FAILED, last_line(version), "install apptainer (Ansible: role slurm_compute)")
    if not wanted.image:
        return Result("apptainer", UNKNOWN, version.out.strip() + "; give --image a SIF that has `true`", "")
    ran = node.run("apptainer", "exec", "--containall", "--no-eval", wanted.image, "true")
    if ran.code:
        cure = "see whether user namespaces are allowed (sysctl user.max_user_namespaces) and squashfuse is installed"
        return Result("apptainer", FAILED, last_line(ran), cure)
    return Result("apptainer", OK, version.out.strip(), "")


def apptainer_nv(node: Node, wanted: Wanted) -> Result:
    """A container sees the GPUs of its step."""
    name = "apptainer --nv"
    if not node.gpu_devices():
        return Result(name, UNKNOWN, "no GPU device in /dev", "")
    if not wanted.image:
        return Result(name, UNKNOWN, "give --image a SIF", "")
    here = node.run("nvidia-smi", "-L")
    if here.code or not here.out.strip():
        return Result(name, UNKNOWN, "no GPU to see here: " + last_line(here), "")
    ran = node.run("apptainer", "exec", "--containall", "--no-eval", "--nv", wanted.image, "nvidia-smi", "-L")
    inside = len(ran.out.splitlines())
    if ran.code or inside != len(here.out.splitlines()):
        cure = "see nvliblist.conf of apptainer, and that the driver's libraries are where ldconfig finds them"
        return Result(name, FAILED, "%d GPUs inside, %s" % (inside, last_line(ran)), cure)
    return Result(name, OK, "%d GPUs inside, as outside" % inside, "")


def folders(node: Node, wanted: Wanted) -> List[Result]:
    """Shared folders take a file of the mapped user."""
    found = []
    for folder in wanted.folders:
        name = "folder " + folder
        if os.geteuid() == 0 and not wanted.user:
            found.append(
                Result(name, UNKNOWN, "root is not who writes there; give --user the Unix user of somebody", "")
            )
            continue
        trouble = node.write_as(wanted.user if os.geteuid() == 0 else "", folder)
        cure = "mount it here, writable for the group one-users (docs/install.md)" if trouble else ""
        found.append(Result(name, FAILED if trouble else OK, trouble or "written, read and removed", cure))
    return found


def controllers_clock(node: Node) -> float:
    """The time that slurmctld's answer has. Raises ValueError.

    `Configuration data as of 2026-02-09T14:30:00`, in this node's time zone.
    """
    ran = node.run("scontrol", "show", "config")
    found = re.match(r"Configuration data as of (\S+)", ran.out)
    if ran.code or not found:
        raise ValueError(last_line(ran))
    return time.mktime(time.strptime(found.group(1), "%Y-%m-%dT%H:%M:%S"))


def skew(node: Node, _: Wanted) -> Result:
    """This node's clock and the controller's agree."""
    name = "clock"
    try:
        first = controllers_clock(node)
        node.sleep(2)
        then, here = controllers_clock(node), node.clock()
    except ValueError as error:
        return Result(name, UNKNOWN, "slurmctld does not say its time: %s" % error, "")
    if then <= first:
        return Result(name, UNKNOWN, "slurmctld's answer has the time of its configuration, not of now", "")
    off = abs(here - then)
    if off > MAX_SKEW_S:
        return Result(
            name, FAILED, "%.0f s from slurmctld's" % off, "keep time on both with chrony or systemd-timesyncd"
        )
    return Result(name, OK, "within %d s of slurmctld's" % MAX_SKEW_S, "")


def nvidia_smi(node: Node, _: Wanted) -> Result:
    """The driver answers."""
    if not node.gpu_devices():
        return Result("nvidia-smi", UNKNOWN, "no GPU device in /dev", "")
    ran = node.run("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    if ran.code:
        return Result("nvidia-smi", FAILED, last_line(ran), "install the driver and its tools, and load nvidia.ko")
    names = sorted({line.strip() for line in ran.out.splitlines() if line.strip()})
    return Result("nvidia-smi", OK, "%d: %s" % (len(ran.out.splitlines()), ", ".join(names)), "")


def dcgm(node: Node, wanted: Wanted) -> Result:
    """The exporter has figures of GPUs."""
    if not node.gpu_devices():
        return Result("DCGM", UNKNOWN, "no GPU device in /dev", "")
    try:
        text = node.get(wanted.dcgm)
    except (OSError, ValueError) as error:
        return Result(
            "DCGM", UNKNOWN, "no exporter at %s: %s; GPU use comes from the launchers then" % (wanted.dcgm, error), ""
        )
    if "DCGM_FI_DEV_GPU_UTIL{" not in text:
        cure = "let dcgm-exporter count DCGM_FI_DEV_GPU_UTIL (docs/monitoring.md)"
        return Result("DCGM", FAILED, "the exporter has no use of a GPU", cure)
    return Result("DCGM", OK, "use of %d GPUs" % text.count("DCGM_FI_DEV_GPU_UTIL{"), "")


CHECKS: Sequence[Callable[[Node, Wanted], Result]] = (
    memory,
    foreign_gpus,
    apptainer,
    apptainer_nv,
    skew,
    nvidia_smi,
    dcgm,
)


def checked(node: Node, wanted: Wanted) -> List[Result]:
    """Every check, in the order in which they are shown."""
    return [check(node, wanted) for check in CHECKS] + folders(node, wanted)


def documents(found: Sequence[Result]) -> List[Dict[str, str]]:
    """As JSON."""
    return [dict(one._asdict()) for one in found]


def lines(found: Sequence[Result]) -> List[str]:
    """As text."""
    said = []
    for one in found:
        said.append("%-8s %-20s %s" % (one.status, one.name, one.says))
        if one.cure:
            said.append("%-8s %-20s cure: %s" % ("", "", one.cure))
    counts = ["%d %s" % (sum(one.status == status for one in found), status) for status in (OK, FAILED, UNKNOWN)]
    return [*said, ", ".join(counts)]


def main(words: Sequence[str]) -> int:
    """1 when a check failed; what is unknown fails nothing and is counted."""
    parser = argparse.ArgumentParser(description="Test this compute node for what the portal's jobs need of it.")
    parser.add_argument("--user", default="", help="as root: the Unix user who must be able to write")
    parser.add_argument("--folder", action="append", default=[], help="a shared folder; default /shared/runs")
    parser.add_argument("--image", default="", help="a SIF that has `true`")
    parser.add_argument("--dcgm", default="http://127.0.0.1:9400/metrics", help="where dcgm-exporter answers")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(list(words))
    wanted = Wanted(given.user, given.folder or ["/shared/runs"], given.image, given.dcgm)
    found = checked(Node(), wanted)
    print(json.dumps({"checks": documents(found)}) if given.json else "\n".join(lines(found)))
    return int(any(one.status == FAILED for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
