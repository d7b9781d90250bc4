"""The data folder of `one serve`: its names, its secrets, and the lock that keeps a second one out."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.serve.errors import ServeError


class DataFolder:
    """Everything that is kept between two starts lies beneath `path`; only its owner can look in."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / "one.db"
        self.runs = self.path / "runs"
        self.images = self.path / "images"
        self.objects = self.path / "objects"
        self.log = self.path / "serve.log"
        self.storage_log = self.path / "seaweedfs.log"
        self.token = self.path / "token"
        self.cluster = self.path / "cluster.json"
        self.runners = self.path / "runners.json"
        self.ledger = self.path / "ledger.jsonl"
        self.nodes = self.path / "nodes.json"
        self.rest_log = self.path / "slurmrestd.log"
        self.convert_settings = self.path / "convert.toml"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make what is missing and keep others out. Raises ServeError (folder_in_use), OSError."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.runs / ".out", self.images, self.objects):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise ServeError("folder_in_use", folder=self.path, pid=lock.read().strip()) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def secret(self, name: str) -> str:
        """A random secret of this folder, made at the first question, in a file that only its owner reads."""
        path = self.path / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()


class SharedFolder:
    """Where the nodes read images and write runs; the user's own, at the same path on every node."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.runs = self.path / "runs"
        self.images = self.path / "images"

    def make(self) -> None:
        """Make what is missing. Raises ServeError (shared_unusable)."""
        try:
            for folder in (self.path, self.runs, self.runs / ".out", self.images, self.path / ".check"):
                folder.mkdir(exist_ok=True, mode=0o700)
                if folder.lstat().st_uid != os.getuid():
                    raise ServeError("shared_unusable", folder=folder, why="it is not yours")
        except OSError as error:
            raise ServeError("shared_unusable", folder=self.path, why=error.strerror) from error


def write_private(path: Path, text: str) -> None:
    """The whole file or none, mode 0600."""
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
