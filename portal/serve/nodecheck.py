"""Do the nodes see the shared folder, and can they run containers? One small job a partition answers, once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from portal.serve.discover import Granted
from portal.serve.folder import write_private
from slurm.client import SlurmClient
from slurm.errors import SlurmRefused, SlurmUnreachable
from slurm.states import has_ended
from slurm.submission import Component, Submission

FOLDER = ".check"
LOOK_S = 3.0
GRACE_LOOKS = 5
"""A shared file system may show a new file some seconds late."""
MEMORY_MIB = 256
TIME_LIMIT_MIN = 2
SCRIPT = """#!/usr/bin/python3 -IS
import json, os, socket, subprocess
target, program = {target!a}, {program!a}
said = {{"host": socket.gethostname(), "apptainer": "", "why": ""}}
try:
    ran = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    said["apptainer" if ran.returncode == 0 else "why"] = ran.stdout.decode("utf-8", "replace").strip()[:200]
except (OSError, subprocess.TimeoutExpired) as error:
    said["why"] = str(error)[:200]
with open(target + ".new", "w") as file:
    json.dump(said, file)
os.rename(target + ".new", target)
"""
Tell = Callable[..., None]
"""`tell(code, **facts)`: one of CODES, for a person at the terminal."""
CODES = frozenset({"nodes_asked", "nodes_ok", "nodes_no_shared", "nodes_no_apptainer", "nodes_refused"})


@dataclass(frozen=True)
class Site:
    """What is looked for: the shared folder (which has a folder FOLDER), and the program that starts containers."""

    user: str
    granted: Granted
    shared: Path
    apptainer: str
    path: str


class NodeCheck:
    """The partitions that were found good are remembered in `memory`, for this folder and this program."""

    def __init__(self, client: SlurmClient, site: Site, memory: Path, tell: Tell) -> None:
        self._client = client
        self._site = site
        self._memory = memory
        self._tell = tell

    async def run(self) -> None:
        """Ask every partition that was not found good yet, side by side."""
        asked = [name for name in self._site.granted.partitions if name not in self._good()]
        if not asked:
            return
        self._tell("nodes_asked", partitions=", ".join(asked), shared=self._site.shared)
        async with anyio.create_task_group() as group:
            for partition in asked:
                group.start_soon(self._ask, partition)

    async def _ask(self, partition: str) -> None:
        name = f"one-check-{secrets.token_hex(8)}"
        answer = self._site.shared / FOLDER / name
        try:
            (job_id,) = await self._submitted(partition, name, answer)
        except SlurmRefused as refusal:
            self._tell("nodes_refused", partition=partition, why=refusal)
            return
        said = await self._answer(job_id, answer)
        answer.unlink(missing_ok=True)
        if said is None:
            self._tell("nodes_no_shared", partition=partition, shared=self._site.shared, job=job_id)
        elif said["why"]:
            self._tell("nodes_no_apptainer", program=self._site.apptainer, **said)
        else:
            self._remember(partition)
            self._tell("nodes_ok", partition=partition, shared=self._site.shared, **said)

    async def _submitted(self, partition: str, name: str, answer: Path) -> tuple[int, ...]:
        """Submit the job; a submit without an answer is looked for, like every other."""
        site = self._site
        found: tuple[int, ...] = ()
        while True:
            try:
                return found or await self._client.submit(self._submission(partition, name, answer))
            except SlurmUnreachable:
                await anyio.sleep(LOOK_S)
                found = await self._found(site.granted.account, name)

    async def _found(self, account: str, name: str) -> tuple[int, ...]:
        try:
            return await self._client.find(user=self._site.user, account=account, name=name)
        except SlurmUnreachable:
            return ()

    def _submission(self, partition: str, name: str, answer: Path) -> Submission:
        site = self._site
        component = Component(
            name=name,
            account=site.granted.account,
            partition=partition,
            qos=site.granted.qos,
            nice=0,
            nodes=1,
            cpus=1,
            memory_mib=MEMORY_MIB,
            gres="",
            constraint="",
            time_limit_min=TIME_LIMIT_MIN,
            comment="",
            wckey="",
        )
        return Submission(
            owner=site.user,
            script=SCRIPT.format(target=str(answer), program=site.apptainer),
            working_directory="/",
            output="/dev/null",
            environment=(f"PATH={site.path}", "LANG=C.UTF-8"),
            components=(component,),
        )

    async def _answer(self, job_id: int, answer: Path) -> dict[str, Any] | None:
        """What the job left, None when it has ended and left nothing."""
        looks_left = GRACE_LOOKS
        while looks_left:
            if answer.exists():
                found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
                return found
            looks_left -= await self._has_ended(job_id)
            await anyio.sleep(LOOK_S)
        return None

    async def _has_ended(self, job_id: int) -> bool:
        try:
            rows = await self._client.accounting([job_id])
        except SlurmUnreachable:
            return False
        return bool(rows) and all(has_ended(row.state) for row in rows)

    def _good(self) -> list[str]:
        try:
            kept: dict[str, list[str]] = json.loads(self._memory.read_text())
        except FileNotFoundError:
            return []
        return kept.get(self._key(), [])

    def _remember(self, partition: str) -> None:
        write_private(self._memory, json.dumps({self._key(): [*self._good(), partition]}))

    def _key(self) -> str:
        return f"{self._site.shared} {self._site.apptainer}"
