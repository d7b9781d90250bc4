"""The folder of SIFs: which images are there, when they were used, and which go when it grows too large."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from containers.errors import ConversionFailed, UnusableImage
from containers.image import ImageConfig
from containers.reference import check_digest

WORK = ".work"  # inside the folder: locks and half-made images; nothing in it is ever run
LOCK_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class CachedImage:
    """A finished SIF: `size` in bytes, `used_at` epoch seconds of the last request for it."""

    digest: str
    path: Path
    size: int
    used_at: float
    reference: str
    config: ImageConfig


def sif_path(images: Path, digest: str) -> Path:
    """Where the SIF of `digest` is or will be. Raises InvalidReference for anything but a digest."""
    return images / (check_digest(digest).replace(":", "-") + ".sif")


def side_path(images: Path, digest: str) -> Path:
    """The JSON beside a SIF: the reference it came from and the image's config."""
    return sif_path(images, digest).with_suffix(".json")


def find(images: Path, digest: str) -> CachedImage | None:
    """The finished image of `digest`, or None. Reads only; an image without its side file does not count."""
    path = sif_path(images, digest)
    try:
        status = path.stat()
        side = json.loads(side_path(images, digest).read_text(encoding="utf-8"))
        config = ImageConfig.from_json(side["config"])
        return CachedImage(digest, path, status.st_size, status.st_mtime, str(side["reference"]), config)
    except (FileNotFoundError, ValueError, KeyError, TypeError, UnusableImage):
        return None


def list_images(images: Path) -> tuple[CachedImage, ...]:
    """All finished images, the longest unused first; empty when the folder is not there yet."""
    digests = (path.stem.replace("-", ":", 1) for path in images.glob("sha256-*.sif"))
    found = (find(images, digest) for digest in digests)
    return tuple(sorted((image for image in found if image), key=lambda image: (image.used_at, image.digest)))


def touch(image: CachedImage) -> None:
    """Note that the image is used now."""
    os.utime(image.path)


def remove(images: Path, digest: str) -> int:
    """Delete the image of `digest` and say how many bytes that gave back (0 if there was none).

    The caller holds the image's lock.
    """
    path = sif_path(images, digest)
    size = path.stat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    side_path(images, digest).unlink(missing_ok=True)
    return size


def evict(images: Path, max_bytes: int, in_use: Collection[str], *, wanted: int = 0) -> tuple[str, ...]:
    """Delete the longest unused images until `wanted` more bytes fit under `max_bytes`; returns their digests.

    Images of `in_use` stay, and so do images that somebody has locked: the limit may then be passed.
    """
    total = sum(image.size for image in list_images(images)) + wanted
    gone = []
    for image in list_images(images):
        if total <= max_bytes:
            break
        if image.digest in in_use:
            continue
        with contextlib.suppress(ConversionFailed), locked(images, image.digest, timeout_s=0):
            total -= remove(images, image.digest)
            gone.append(image.digest)
    return tuple(gone)


@contextlib.contextmanager
def locked(images: Path, digest: str, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock of one digest; the kernel lets go of it when the holder dies.

    Raises ConversionFailed("failed") when somebody else holds it for longer than `timeout_s`.
    """
    work = images / WORK
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with (work / f"{sif_path(images, digest).stem}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() >= deadline:
                    raise ConversionFailed("failed", f"another conversion of {digest} has not ended") from exc
                time.sleep(LOCK_POLL_S)
        yield


@contextlib.contextmanager
def work_folder(images: Path, digest: str) -> Iterator[Path]:
    """An empty private folder on the images' file system, removed afterwards. The caller holds the image's lock.

    What an earlier conversion of the same digest left behind (power cut, kill -9) is removed first.
    """
    folder = images / WORK / sif_path(images, digest).stem
    _delete(folder)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        _delete(folder)


def _delete(folder: Path) -> None:
    """Remove a tree although images may contain folders that their owner cannot write."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o700)
    if folder.exists():
        shutil.rmtree(folder)
