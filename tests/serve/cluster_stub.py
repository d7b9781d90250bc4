"""Stand-ins for `scontrol` and `slurmrestd` as programs: tokens that say who asked, and answers recorded on Slurm 26.05."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jwt

from tests.slurm.client.replay import RECORDINGS

NEWEST = RECORDINGS / "26.05" / "v0.0.45"
SITUATIONS = ("ping", "nodes", "partitions", "associations", "jobs")
SCONTROL = """#!{python} -I
import json, os, sys
with open({asked!r}, "a") as file:
    print(json.dumps([sys.argv[1:], sorted(os.environ)]), file=file)
print("SLURM_JWT={token}")
"""
SLURMRESTD = """#!{python} -I
import json, os, socketserver, sys
from http.server import BaseHTTPRequestHandler
answers = json.load(open({answers!r}))

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with open({asked!r}, "a") as file:
            headers = [self.headers["X-SLURM-USER-NAME"], self.headers["X-SLURM-USER-TOKEN"], os.environ["SLURM_JWT"]]
            print(json.dumps([self.path, *headers]), file=file)
        name = self.path.partition("?")[0].rstrip("/").rpartition("/")[2]
        body = json.dumps(answers.get(name, {{"errors": [{{"error_number": 2017}}]}})).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "-"

assert sys.argv[1:3] == ["-a", "rest_auth/jwt"], sys.argv
socketserver.ThreadingUnixStreamServer(sys.argv[3].removeprefix("unix:"), Handler).serve_forever()
"""


class ClusterStub:
    """A folder for PATH with both programs and an apptainer; what was asked of them."""

    def __init__(self, folder: Path, user: str) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self._tokens, self._calls = folder / "tokens", folder / "calls"
        self.token = jwt.encode({"sun": user, "iat": 1000, "exp": 4600}, "k" * 32, algorithm="HS256")
        answers = {name: json.loads((NEWEST / f"{name}.json").read_text())["body"] for name in SITUATIONS}
        for one in answers["associations"]["associations"]:
            one["user"] = user
        (folder / "answers").write_text(json.dumps(answers))
        self._install("scontrol", SCONTROL, asked=str(self._tokens), token=self.token)
        self._install("slurmrestd", SLURMRESTD, asked=str(self._calls), answers=str(folder / "answers"))
        self._install("apptainer", "#!/bin/sh\n")

    def _install(self, name: str, text: str, **values: str) -> None:
        path = self.bin / name
        path.write_text(text.format(python=sys.executable, **values) if values else text)
        path.chmod(0o755)

    def tokens_asked(self) -> list[list[list[str]]]:
        """Arguments and variables of every scontrol."""
        return [json.loads(line) for line in self._tokens.read_text().splitlines()]

    def calls(self) -> list[list[str]]:
        """Path, user, token and the daemon's own SLURM_JWT of every call."""
        return [json.loads(line) for line in self._calls.read_text().splitlines()]
