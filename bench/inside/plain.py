"""python plain.py TEMPLATE.json COUNT CONNECTIONS MARK: submits a hetjob COUNT times by plain REST and prints the seconds.

The least that any submitter must do: a token, the body, one POST to slurmrestd, its answer. Names differ, nothing is stored.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx2
from pydantic import TypeAdapter

from slurm.agent.restbody import submit_body
from slurm.agent.tokens import Signer
from slurm.submission import Submission

KEY = Path("/etc/one/credentials/jwt_hs256.key")
SOCKET = "/run/slurmrestd/slurmrestd.sock"
PATH = "/slurm/v0.0.42/job/submit"


def main() -> None:
    """Submit, and print one JSON line."""
    template, count, connections, mark = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    submission = TypeAdapter(Submission).validate_json(Path(template).read_bytes())
    signer = Signer.from_file(KEY)
    numbers = iter(range(count))
    taking = threading.Lock()
    answers: list[int] = []

    def work() -> None:
        with httpx2.Client(
            transport=httpx2.HTTPTransport(uds=SOCKET), base_url="http://slurmrestd", timeout=60
        ) as http:
            while True:
                with taking:
                    number = next(numbers, None)
                if number is None:
                    return
                headers = {"X-SLURM-USER-NAME": submission.owner, "X-SLURM-USER-TOKEN": signer.token(submission.owner)}
                answer = http.post(PATH, json=submit_body(_named(submission, f"{mark}-{number}")), headers=headers)
                answers.append(int(answer.json()["job_id"]))

    threads = [threading.Thread(target=work) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"seconds": time.perf_counter() - began, "submitted": len(set(answers) - {0})}))


def _named(submission: Submission, name: str) -> Submission:
    return replace(submission, components=tuple(replace(one, name=name, comment=name) for one in submission.components))


if __name__ == "__main__":
    main()
