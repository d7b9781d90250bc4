"""python reading.py TIMES: how long each of the agent's two roads takes to read Slurm, as the agent's user; one JSON line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from slurm.agent.config import load_config
from slurm.agent.native import NativeReader
from slurm.agent.reader import Reader, RestReader
from slurm.agent.rest import Rest
from slurm.agent.restcalls import SlurmRest
from slurm.agent.tokens import Signer
from slurm.errors import SlurmError

SQUEUE = ("squeue", "--noheader", "--states=all", "--format=%i|%j|%u|%a|%P|%q|%y|%Q|%T|%r|%S|%V|%l|%D|%C|%m|%b|%E")


def main() -> None:
    """PySlurm, slurmrestd, and formatted squeue for comparison."""
    config = load_config(Path("/etc/one/agent.toml"))
    rest = Rest(Signer.from_file(config.jwt_key), socket=config.rest_socket, timeout_s=110)
    calls = SlurmRest(rest, config.operator)
    found: dict[str, list[float] | str] = {}
    roads: dict[str, Reader] = {"native": NativeReader(calls), "rest": RestReader(calls)}
    for name, reader in roads.items():
        try:
            found[name] = [_seconds(reader) for _ in range(int(sys.argv[1]) if name == "native" else 1)]
        except SlurmError as error:
            found[name] = str(error)
    began = time.perf_counter()
    subprocess.run(SQUEUE, check=True, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    found["squeue"] = [time.perf_counter() - began]
    print(json.dumps(found))


def _seconds(reader: Reader) -> float:
    began = time.perf_counter()
    reader.snapshot()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
