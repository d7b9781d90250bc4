"""Slurm, S3, registry and converter as the daemon of a simulation meets them: gates around each call, and bad days.

A call is a gate, the effect, a gate. `Trouble` says what goes wrong at one of them: the request is lost (no effect), the
answer is lost (effect, but an error), the request is carried out twice, or a submit is still under way when its answer is
given up (the agent then says "ask again" until it is settled, slurm/agent/verbs.py).
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from containers.convert_client import Converted, Progress
from containers.errors import ConversionFailed, RegistryUnreachable
from containers.image import ResolvedImage
from containers.reference import Reference
from portal.store.s3 import StoreUnavailable
from slurm.errors import NotPermitted, SlurmRefused, SlurmUnreachable
from slurm.fake import QOS_LIMIT, FakeSlurm
from slurm.records import AccountingRow, ClusterVersion, PrioritySetup, Snapshot, Standing
from slurm.submission import Submission
from tests.daemon.world import Conversions, Registry
from tests.simulation.gates import Gate
from tests.store.memory import MemoryStore

LATE_S = 60.0


@dataclass
class Trouble:
    """How often calls go wrong (0 to 1), and what is away for a while."""

    rng: random.Random
    lost_request: float = 0.0
    lost_answer: float = 0.0
    twice: float = 0.0
    late_submit: float = 0.0
    refused_submit: float = 0.0
    registry: bool = False
    conversion: str = ""
    rows_missing: set[int] = field(default_factory=set)

    def end(self) -> None:
        """From now on everything works."""
        self.lost_request = self.lost_answer = self.twice = self.late_submit = self.refused_submit = 0.0
        self.registry, self.conversion = False, ""
        self.rows_missing.clear()

    def hits(self, chance: float) -> bool:
        """Whether it happens now."""
        return chance > 0 and self.rng.random() < chance

    async def call(self, effect: Callable[[], Awaitable[Any]], lost: Callable[[str], Exception], *, again: bool) -> Any:
        """One call to the outside; `again` says whether a second carrying out is harmless by contract."""
        await Gate()
        if self.hits(self.lost_request):
            raise lost("the request was lost")
        result = await effect()
        if again and self.hits(self.twice):
            result = await effect()
        await Gate(after_effect=True)
        if self.hits(self.lost_answer):
            raise lost("the answer was lost")
        return result


class TroubledSlurm:
    """A `SlurmClient` in front of the fake, with the agent's ledger: a name is submitted at most once."""

    def __init__(self, inner: FakeSlurm, trouble: Trouble) -> None:
        self.inner = inner
        self.trouble = trouble
        self.names: dict[str, bool] = {}
        self.late: list[tuple[float, Submission]] = []

    async def version(self) -> ClusterVersion:
        """Never in the way by itself."""
        return await self.inner.version()

    async def submit(self, submission: Submission) -> tuple[int, ...]:
        """Once a name, as the agent's ledger has it."""

        async def effect() -> tuple[int, ...]:
            self.inner._reach()
            name = submission.components[0].name
            if self.names.get(name):
                raise NotPermitted(f"{name} was already submitted")
            if any(other.components[0].name == name for _, other in self.late):
                raise NotPermitted(f"{name}: an earlier submit had no answer; find it first")
            if self.trouble.hits(self.trouble.late_submit):
                self.late.append((self.inner.cluster.now + self.trouble.rng.uniform(1, LATE_S), submission))
                raise SlurmUnreachable("no answer in time")
            return await self._take(submission)

        return await self.trouble.call(effect, SlurmUnreachable, again=False)  # type: ignore[no-any-return]

    async def _take(self, submission: Submission) -> tuple[int, ...]:
        if self.trouble.hits(self.trouble.refused_submit):
            if len(submission.components) > 1:
                self.inner.cluster.cancel(self.inner.cluster.leave_behind(submission).job_id)
            raise SlurmRefused("Job violates accounting/QOS policy", code=QOS_LIMIT)
        ids = await self.inner.submit(submission)
        self.names[submission.components[0].name] = True
        return ids

    async def settle_late(self) -> None:
        """What was under way reaches Slurm, whoever still waits for it; while slurmctld is away it stays under way."""
        if self.inner.outage:
            return
        due = [one for one in self.late if one[0] <= self.inner.cluster.now]
        self.late = [one for one in self.late if one[0] > self.inner.cluster.now]
        for _, submission in due:
            try:
                await self._take(submission)
            except SlurmRefused:
                continue

    async def cancel(self, owner: str, job_id: int, *, graceful: bool = False) -> None:
        """Harmless twice."""
        await self._call(lambda: self.inner.cancel(owner, job_id, graceful=graceful), again=True)

    async def set_priority(self, job_ids: Sequence[int], *, qos: str, nice: int) -> None:
        """Harmless twice."""
        await self._call(lambda: self.inner.set_priority(job_ids, qos=qos, nice=nice), again=True)

    async def hold(self, job_ids: Sequence[int], *, held: bool) -> None:
        """Harmless twice."""
        await self._call(lambda: self.inner.hold(job_ids, held=held), again=True)

    async def annotate(self, job_id: int, text: str) -> None:
        """Harmless twice."""
        await self._call(lambda: self.inner.annotate(job_id, text), again=True)

    async def snapshot(self) -> Snapshot:
        """One moment; by the time it is read, it may be old."""
        return await self._call(self.inner.snapshot)  # type: ignore[no-any-return]

    async def accounting(self, job_ids: Sequence[int]) -> tuple[AccountingRow, ...]:
        """Without the rows that have not come yet."""
        rows = await self._call(lambda: self.inner.accounting(job_ids))
        return tuple(row for row in rows if row.job_id not in self.trouble.rows_missing)

    async def find(self, *, user: str, account: str, name: str) -> tuple[int, ...]:
        """Unreachable while a submit of that name is under way."""

        async def effect() -> tuple[int, ...]:
            if any(other.components[0].name == name for _, other in self.late):
                raise SlurmUnreachable(f"the submit of {name} had no answer; ask again")
            return await self.inner.find(user=user, account=account, name=name)

        return await self._call(effect)  # type: ignore[no-any-return]

    async def check_association(self, user: str, account: str, qos: Sequence[str]) -> Standing:
        """As the fake."""
        return await self.inner.check_association(user, account, qos)

    async def priority_setup(self) -> PrioritySetup:
        """As the fake."""
        return await self.inner.priority_setup()

    async def _call(self, effect: Callable[[], Awaitable[Any]], *, again: bool = False) -> Any:
        return await self.trouble.call(effect, SlurmUnreachable, again=again)


class TroubledStore(MemoryStore):
    """S3 whose writes may be lost, or done although the answer was lost."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble

    async def put_bytes(self, bucket: str, key: str, data: bytes, content_type: str = "") -> None:
        """Harmless twice."""
        put = super().put_bytes
        await self.trouble.call(lambda: put(bucket, key, data), StoreUnavailable, again=True)


@dataclass
class TroubledRegistry(Registry):
    """A registry that may be away."""

    bad: Trouble = field(default_factory=lambda: Trouble(random.Random(0)))

    async def resolve(self, reference: Reference) -> ResolvedImage:
        """Tag -> digest."""

        async def effect() -> ResolvedImage:
            if self.bad.registry:
                raise RegistryUnreachable(str(reference), "no answer")
            return await Registry.resolve(self, reference)

        def lost(text: str) -> Exception:
            return RegistryUnreachable(str(reference), text)

        return await self.bad.call(effect, lost, again=True)  # type: ignore[no-any-return]


@dataclass
class TroubledConversions(Conversions):
    """A converter that may be away or without space."""

    bad: Trouble = field(default_factory=lambda: Trouble(random.Random(0)))

    async def convert(
        self, reference: str, digest: str, in_use: Collection[str]
    ) -> AsyncGenerator[Progress | Converted]:
        """Progress, then the SIF."""
        await Gate()
        if self.bad.conversion:
            raise ConversionFailed(self.bad.conversion, "not now")
        async for answer in super().convert(reference, digest, in_use):
            await Gate()
            yield answer
