"""python crowd.py JOBS: submits held hetjobs of 128 components as kim until that many jobs more are in Slurm."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import httpx2

from slurm.agent.tokens import Signer

KEY = Path("/etc/one/credentials/jwt_hs256.key")
SOCKET = "/run/slurmrestd/slurmrestd.sock"
USER = "kim"
NAME = "crowd"
MOST = 128
CONNECTIONS = 4


def main() -> None:
    """Submit, and print one JSON line."""
    wanted = int(sys.argv[1])
    sizes = iter([MOST] * (wanted // MOST) + ([wanted % MOST] if wanted % MOST else []))
    signer, taking, began = Signer.from_file(KEY), threading.Lock(), time.perf_counter()
    problems: list[str] = []

    def work() -> None:
        transport = httpx2.HTTPTransport(uds=SOCKET)
        with httpx2.Client(transport=transport, base_url="http://slurmrestd", timeout=120) as http:
            while not problems:
                with taking:
                    size = next(sizes, None)
                if size is None:
                    return
                headers = {"X-SLURM-USER-NAME": USER, "X-SLURM-USER-TOKEN": signer.token(USER)}
                answer = http.post("/slurm/v0.0.42/job/submit", json=_body(size), headers=headers).json()
                if not answer.get("job_id"):
                    problems.append(json.dumps(answer.get("errors"))[:300])

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise SystemExit(problems[0])
    print(json.dumps({"seconds": time.perf_counter() - began}))


def _body(size: int) -> dict[str, object]:
    job = {
        "name": NAME,
        "account": "lab",
        "partition": "a100",
        "current_working_directory": "/tmp",
        "environment": ["PATH=/usr/bin:/bin"],
        "memory_per_node": {"set": True, "number": 100},
        "time_limit": {"set": True, "number": 60},
        "tasks": 1,
        "cpus_per_task": 1,
        "hold": True,
        "requeue": False,
    }
    script = "#!/bin/sh\nsleep 1\n"
    return {"script": script, "job": job} if size == 1 else {"script": script, "jobs": [job] * size}


if __name__ == "__main__":
    main()
