"""The daemon's client: one connection a call to the agent's Unix socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from slurm import protocol
from slurm.errors import SlurmUnreachable
from slurm.records import AccountingRow, ClusterVersion, PrioritySetup, Snapshot, Standing
from slurm.submission import Submission

DEFAULT_TIMEOUT_S = 90
"""Longer than the agent's own waits, so that its answer, not our impatience, tells what happened."""
MAX_ANSWER_BYTES = 512 * 1024 * 1024
Observe = Callable[[str, float, bool], None]
"""(verb, seconds, whether the agent answered at all): told of every call."""


def _unobserved(_verb: str, _seconds: float, _answered: bool) -> None:
    """Nobody counts."""


class AgentClient:
    """A `SlurmClient` over the agent's socket; a call that gets no answer in `timeout_s` is SlurmUnreachable."""

    def __init__(self, socket: Path, *, timeout_s: float = DEFAULT_TIMEOUT_S, observe: Observe = _unobserved) -> None:
        self._socket = socket
        self._timeout_s = timeout_s
        self._observe = observe

    async def version(self) -> ClusterVersion:
        """What is at the other end."""
        answer: ClusterVersion = await self._ask(protocol.VersionRequest())
        return answer

    async def submit(self, submission: Submission) -> tuple[int, ...]:
        """Hand a job to Slurm; SlurmUnreachable leaves open whether it arrived: `find` tells."""
        answer: tuple[int, ...] = await self._ask(protocol.SubmitRequest(submission=submission))
        return answer

    async def cancel(self, owner: str, job_id: int, *, graceful: bool = False) -> None:
        """Cancel the whole job, or signal its runner."""
        await self._ask(protocol.CancelRequest(owner=owner, job_id=job_id, graceful=graceful))

    async def set_priority(self, job_ids: Sequence[int], *, qos: str, nice: int) -> None:
        """Write QOS and nice on every given component."""
        await self._ask(protocol.SetPriorityRequest(job_ids=tuple(job_ids), qos=qos, nice=nice))

    async def hold(self, job_ids: Sequence[int], *, held: bool) -> None:
        """Hold or release every given component."""
        await self._ask(protocol.HoldRequest(job_ids=tuple(job_ids), held=held))

    async def annotate(self, job_id: int, text: str) -> None:
        """Write one component's AdminComment in accounting."""
        await self._ask(protocol.AnnotateRequest(job_id=job_id, text=text))

    async def snapshot(self) -> Snapshot:
        """Nodes, partitions and live jobs of one moment."""
        answer: Snapshot = await self._ask(protocol.SnapshotRequest())
        return answer

    async def accounting(self, job_ids: Sequence[int]) -> tuple[AccountingRow, ...]:
        """Accounting rows of leaders and their components."""
        answer: tuple[AccountingRow, ...] = await self._ask(protocol.AccountingRequest(job_ids=tuple(job_ids)))
        return answer

    async def find(self, *, user: str, account: str, name: str) -> tuple[int, ...]:
        """Leaders of complete jobs of this user, account and exact name."""
        answer: tuple[int, ...] = await self._ask(protocol.FindRequest(user=user, account=account, name=name))
        return answer

    async def check_association(self, user: str, account: str, qos: Sequence[str]) -> Standing:
        """Whether the user may submit to the account with each of these QOS."""
        request = protocol.CheckAssociationRequest(user=user, account=account, qos=tuple(qos))
        answer: Standing = await self._ask(request)
        return answer

    async def priority_setup(self) -> PrioritySetup:
        """How Slurm weighs jobs."""
        answer: PrioritySetup = await self._ask(protocol.PrioritySetupRequest())
        return answer

    async def _ask(self, request: protocol.Request) -> Any:
        begun, line = time.monotonic(), b""
        try:
            with anyio.fail_after(self._timeout_s):
                line = await self._exchange(protocol.encode_request(request))
        except TimeoutError as error:
            raise SlurmUnreachable(f"the agent did not answer {request.verb} in {self._timeout_s:g} s") from error
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead) as error:
            raise SlurmUnreachable(f"the agent cannot be reached at {self._socket}: {error}") from error
        finally:
            self._observe(request.verb, time.monotonic() - begun, bool(line))
        return protocol.decode_answer(request.verb, line)

    async def _exchange(self, line: bytes) -> bytes:
        async with await anyio.connect_unix(self._socket) as stream:
            await stream.send(line)
            return await BufferedByteReceiveStream(stream).receive_until(b"\n", MAX_ANSWER_BYTES)
