"""Stands in for apptainer: checks its options, notes words and environment, becomes the payload.

There is no container: the payload finds the folders of /one in STUB_AT, a JSON object from inside to outside.
"""

import csv
import json
import os
import sys

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLAGS = ("--containall", "--no-eval", "--nv")
VALUED = ("--pwd", "--workdir", "--mount")


def parse(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Options as (name, value) pairs, then the SIF and the command, as apptainer's own parser takes them."""
    options = []
    rest = list(words)
    while rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in FLAGS + VALUED:
            sys.exit('Error for command "exec": unknown flag: ' + name)
        options.append((name, rest.pop(0) if name in VALUED else ""))
    return options, rest


def mount(value: str) -> tuple[str, str, bool]:
    """source and destination of one --mount value (a line of CSV)."""
    fields = next(csv.reader([value]))
    pairs = dict(field.partition("=")[::2] for field in fields)
    assert os.path.exists(pairs["src"]), pairs["src"] + " doesn't exist"
    return pairs["dst"], pairs["src"], "ro" in pairs


def main() -> None:
    assert sys.argv[1:3] == ["--quiet", "exec"], sys.argv
    options, (sif, *command) = parse(sys.argv[3:])
    mounts = [mount(value) for name, value in options if name == "--mount"]
    workdir = dict(options)["--workdir"]
    note = {
        "argv": sys.argv[1:],
        "env": dict(os.environ),
        "sif": sif,
        "mounts": mounts,
        "mode": os.stat(workdir).st_mode,
    }
    with open(os.path.join(HOME, "apptainer.jsonl"), "a") as file:
        file.write(json.dumps(note) + "\n")
    prefix = "APPTAINERENV_"
    env = {
        name[len(prefix) :]: value.replace("\r\n", "\n")
        for name, value in os.environ.items()
        if name.startswith(prefix)
    }
    at = {inside: outside for inside, outside, _ in mounts}
    at["/tmp"] = os.path.join(workdir, "tmp")
    os.makedirs(at["/tmp"])
    env["STUB_AT"] = json.dumps(at)
    if not os.path.exists(command[0]):
        print(f"FATAL: exec {command[0]} failed: no such file or directory", file=sys.stderr)
        sys.exit(255)
    os.execve(command[0], command, env)


main()
