"""Lands a shell inside the running container of one rank; sent along by `one shell`, run by srun on its node (Python 3.6).

`python3 -I -S -c SOURCE EVENTS_FILE [WORD...]`: the launcher's pid is in its events; the payload is the first process
beneath it in another pid namespace. A rootless Apptainer's namespaces belong to the user, so nsenter may join them.
"""

import json
import os
import sys
from typing import List, Optional

SHELLS = ("/bin/bash", "/bin/sh")


def text_of(path: str) -> str:
    """A small file of this node."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def payload_of(launcher: int) -> Optional[int]:
    """The pid of the container's first process, seen from this node; None when there is none."""
    own = os.readlink("/proc/self/ns/pid")
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                found.append((int(name), int(text_of("/proc/%s/stat" % name).rpartition(")")[2].split()[1])))
        except OSError:
            continue
    below, inside = {launcher}, []
    for _ in found:
        more = {pid for pid, parent in found if parent in below} - below
        if not more:
            break
        below |= more
    for pid in sorted(below - {launcher}):
        try:
            if os.readlink("/proc/%d/ns/pid" % pid) != own:
                inside.append(pid)
        except OSError:
            continue
    if not inside:
        return None
    return inside[1] if len(inside) > 1 else inside[0]  # the first one inside is Apptainer's own init


def main(events: str, words: List[str]) -> str:
    """Become nsenter; returns only with what went wrong."""
    lines = [json.loads(line) for line in text_of(events).splitlines()]
    if any(line["event"] == "ended" for line in lines):
        return "one: this component has ended"
    started = [line for line in lines if line["event"] == "started"]
    pid = payload_of(int(started[-1]["pid"])) if started else None
    if pid is None:
        return "one: no container of this component runs here"
    pairs = [pair.partition("=") for pair in text_of("/proc/%d/environ" % pid).split("\0") if pair]
    env = {name: value for name, _, value in pairs}
    env["TERM"] = os.environ.get("TERM", "dumb")
    if not words:
        root = "/proc/%d/root" % pid
        words = [next((shell for shell in SHELLS if os.path.lexists(root + shell)), SHELLS[-1])]
    argv = [
        "nsenter",
        "--target",
        str(pid),
        "--user",
        "--mount",
        "--pid",
        "--ipc",
        "--preserve-credentials",
        "--wd",
        "--",
    ]
    for folder in ("/usr/bin/", "/bin/"):
        if os.path.exists(folder + "nsenter"):
            os.execve(folder + "nsenter", argv + words, env)
    return "one: this node has no nsenter (package util-linux)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
