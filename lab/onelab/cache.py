"""A cache of built folders, named by a hash of what they are made of; safe for several checkouts at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onelab.errors import StillMounted
from onelab.mounts import mounts_below

KEY_LENGTH = 16


def content_key(*parts: str) -> str:
    """Return a short name for content made of `parts`; ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()[:KEY_LENGTH]


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock on `path` (made if missing); released when the process ends, however it ends.

    `on_wait` is called once if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Cache:
    """Folders `<root>/<kind>/<key>`, complete or absent."""

    root: Path

    def path(self, kind: str, key: str) -> Path:
        return self.root / kind / key

    def log(self, kind: str, key: str) -> Path:
        """Where the build of a folder writes its output."""
        return self.root / "logs" / f"{kind}-{key}.log"

    def get(self, kind: str, key: str, build: Callable[[Path], None]) -> Path:
        """Return the folder; if absent, `build` fills a temporary one, which is renamed when it is complete."""
        final = self.path(kind, key)
        with locked(self.root / "locks" / f"{kind}-{key}"):
            if final.exists():
                return final
            temporary = self.root / "tmp" / f"{kind}-{key}"
            # We hold the lock of this key: a leftover can only come from a build that was killed.
            remove(temporary)
            temporary.mkdir(parents=True)
            try:
                build(temporary)
            except BaseException:
                remove(temporary)
                raise
            final.parent.mkdir(parents=True, exist_ok=True)
            os.rename(temporary, final)
        return final


def remove(path: Path) -> None:
    """Delete a file, or a folder with all in it.

    Raises: StillMounted while anything is mounted below it.
    """
    if path.is_dir() and not path.is_symlink():
        mounted = mounts_below(path)
        if mounted:
            raise StillMounted(path, mounted[0])
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
