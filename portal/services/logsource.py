"""Where a run's log files are: the run directory while it runs, S3 afterwards; both answer the same questions."""

from __future__ import annotations

import pwd
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import structlog
from anyio import to_thread

from portal.db.models import Attempt, Workload
from portal.rundir import Missing, RunDir, RunDirError
from portal.services.errors import Unavailable
from portal.services.models import storage_unavailable
from portal.settings import Settings
from portal.spec.limits import MAX_RETRIES
from portal.store.layout import log_prefix
from portal.store.s3 import ObjectMissing, ObjectStore, StoreError

_log = structlog.get_logger("portal.logs")
BUCKET = "logs"
MAX_ITERATIONS = 20
Stream = Literal["stdout", "stderr"]
SYSTEM = "system/"
"""No Task can have this id's place: step ids are TASK/NODE and a batch job is none of them."""
JOB = "job-"
OUT_FOLDER = ".out"
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


@dataclass(frozen=True)
class LogFile:
    """One stream of one try of a step, or a batch job's own output (step "system/job-0").

    `iteration` is 0 where a run has none; `size` in bytes as far as written.
    """

    step: str
    iteration: int
    attempt_try: int
    stream: Stream
    size: int = 0

    @property
    def node_id(self) -> str:
        """The component's id within its Task."""
        return self.step.rpartition("/")[2]

    @property
    def is_system(self) -> bool:
        """Written by the batch job itself."""
        return self.step.startswith(SYSTEM)

    @property
    def path(self) -> str:
        """Relative to the run directory, and below the attempt's prefix in S3 (docs/architecture.md, "Run directory")."""
        if self.is_system:
            return f"batch.{self.node_id.removeprefix(JOB)}.log"
        inside = f"i{self.iteration}/" if self.iteration else ""
        return f"{inside}steps/{self.step}/t{self.attempt_try}/{self.stream}.log"


class LogSource(Protocol):
    """Both raise Unavailable when the place cannot be read now."""

    name: str

    async def files(self) -> tuple[LogFile, ...]:
        """What is there, in the order of the spec."""

    async def read(self, file: LogFile, offset: int, limit: int) -> bytes:
        """At most `limit` bytes of the file from `offset`; empty at its end."""


class RunDirLogs:
    """Log files of an attempt in its run directory, read as `portal.rundir` allows."""

    name = "run_directory"

    def __init__(self, settings: Settings, workload: Workload, attempt: Attempt) -> None:
        self._runs = settings.storage.runs
        self._user = workload.owner.unix_user or ""
        self._relative = str(Path(attempt.run_dir).relative_to(self._runs))
        self._output = f"{workload.id}-a{attempt.number}-j"
        self._steps = steps_of(workload)
        self._system = system_files(attempt)

    async def files(self) -> tuple[LogFile, ...]:
        """Files are looked for by name: what else a job wrote is never listed."""
        return await to_thread.run_sync(self._files)

    async def read(self, file: LogFile, offset: int, limit: int) -> bytes:
        """See LogSource."""
        return await to_thread.run_sync(self._read, file, offset, limit)

    def _files(self) -> tuple[LogFile, ...]:
        uid = self._uid()
        found = [sized for file in self._system if (sized := self._sized(file, uid)) is not None]
        for iteration in range(MAX_ITERATIONS + 1):
            here = [file for step in self._steps for file in self._tries(step, iteration, uid)]
            found += here
            if iteration and not here:
                break
        return tuple(found)

    def _tries(self, step: str, iteration: int, uid: int) -> Iterator[LogFile]:
        for attempt_try in range(1, MAX_RETRIES + 2):
            streams = [self._sized(LogFile(step, iteration, attempt_try, stream), uid) for stream in STREAMS]
            if not any(streams):
                return
            yield from (file for file in streams if file is not None)

    def _sized(self, file: LogFile, uid: int) -> LogFile | None:
        folder, path = self._place(file, uid)
        try:
            return replace(file, size=folder.size(path))
        except Missing:
            return None
        except (RunDirError, OSError) as error:
            raise _unreadable(str(error)) from error

    def _read(self, file: LogFile, offset: int, limit: int) -> bytes:
        folder, path = self._place(file, self._uid())
        try:
            return folder.read(path, offset, limit)
        except Missing:
            return b""
        except (RunDirError, OSError) as error:
            raise _unreadable(str(error)) from error

    def _place(self, file: LogFile, uid: int) -> tuple[RunDir, str]:
        if file.is_system:
            return RunDir(self._runs, OUT_FOLDER, uid), f"{self._output}{file.node_id.removeprefix(JOB)}.log"
        return RunDir(self._runs, self._relative, uid), file.path

    def _uid(self) -> int:
        return _uid_of(self._user)


class StoredLogs:
    """Log files of an attempt in S3; `keys` is what the listing found."""

    name = "s3"

    def __init__(self, store: ObjectStore, workload: Workload, attempt: Attempt, sizes: dict[str, int]) -> None:
        self._store = store
        self._prefix = log_prefix(workload.id, attempt.number)
        self._sizes = sizes
        self._steps = steps_of(workload)
        self._system = system_files(attempt)

    async def files(self) -> tuple[LogFile, ...]:
        """See LogSource."""
        steps = [
            LogFile(step, iteration, attempt_try, stream)
            for iteration in range(MAX_ITERATIONS + 1)
            for step in self._steps
            for attempt_try in range(1, MAX_RETRIES + 2)
            for stream in STREAMS
        ]
        known = [file for file in (*self._system, *steps) if file.path in self._sizes]
        return tuple(replace(file, size=self._sizes[file.path]) for file in known)

    async def read(self, file: LogFile, offset: int, limit: int) -> bytes:
        """See LogSource."""
        if offset >= file.size:
            return b""
        chunks = self._store.iter_bytes(BUCKET, self._prefix + file.path, offset, min(limit, file.size - offset))
        try:
            return b"".join([chunk async for chunk in chunks])
        except StoreError as error:
            raise storage_unavailable(missing=isinstance(error, ObjectMissing)) from error


def _uid_of(unix_user: str) -> int:
    try:
        return pwd.getpwnam(unix_user).pw_uid
    except KeyError as error:
        raise _unreadable(f"no Unix user {unix_user!r} here") from error


async def source_of(settings: Settings, store: ObjectStore, workload: Workload, attempt: Attempt) -> LogSource:
    """S3 once the attempt's logs are saved there, the run directory before that and while S3 does not answer."""
    if attempt.logs_saved_at is not None:
        prefix = log_prefix(workload.id, attempt.number)
        try:
            sizes = {info.key.removeprefix(prefix): info.size for info in await store.list_keys(BUCKET, prefix)}
            return StoredLogs(store, workload, attempt, sizes)
        except StoreError as error:
            _log.warning("logs in S3 cannot be listed", workload=workload.id, error=str(error))
    return RunDirLogs(settings, workload, attempt)


def system_files(attempt: Attempt) -> list[LogFile]:
    """The batch jobs' own outputs, one a Slurm job."""
    return [LogFile(f"{SYSTEM}{JOB}{job.job_index}", 0, 1, "stdout") for job in attempt.jobs]


def steps_of(workload: Workload) -> list[str]:
    """Step ids (TASK/NODE) in the order of the spec."""
    document = workload.resolved or workload.spec
    return [
        f"{task['task_id']}/{component.get('node_id') or component['component_id']}"
        for task in document["tasks"]
        for component in task["components"]
    ]


def _unreadable(why: str) -> Unavailable:
    return Unavailable(
        "logs_unreadable", f"Log storage cannot be read: {why}", f"로그 저장소를 읽을 수 없습니다: {why}"
    )


def wanted(files: Sequence[LogFile], component: str, stream: Stream | None) -> list[LogFile]:
    """Those of one component (its node id, or TASK/NODE; "" = all steps, "system" = the batch jobs) and stream (None = both)."""
    return [file for file in files if _is_of(file, component) and stream in {None, file.stream}]


def _is_of(file: LogFile, component: str) -> bool:
    if component in {"", SYSTEM.rstrip("/")}:
        return file.is_system == bool(component)
    return component in {file.step, file.node_id}
