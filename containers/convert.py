"""The `one-convert` program: one request from a socket, one SIF made of a digest, progress and the answer as JSON lines."""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import resource
import signal
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import anyio

from containers import cache
from containers.build import APPTAINER, build_sif
from containers.credentials import credentials_file
from containers.errors import ContainersError, ConversionFailed
from containers.reference import check_allowed, check_digest, parse
from containers.registry import RegistryAccess, resolve

MAX_REQUEST_BYTES = 1024 * 1024
GIB = 1024**3
NICE = 10  # as in one-convert@.service
_PR_SET_PDEATHSIG = 1
SPACE_FACTOR = 3  # layers are compressed: the download, the unpacked tree and the SIF lie side by side for a while
# What the protocol calls errors that have a finer word inside the package.
PROTOCOL_WORDS = {"not_allowed": "refused", "unauthorized": "refused"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ConvertSettings:
    """What the program may do: its folder, its registries and its limits (`image_max_bytes` bounds one file)."""

    images: Path
    max_bytes: int
    access: RegistryAccess
    apptainer: str = APPTAINER
    timeout_s: float = 1800.0
    cpu_s: int = 3600
    image_max_bytes: int = 64 * GIB


@dataclass(frozen=True, slots=True)
class Request:
    """`{"reference": "registry.avatar.io/env-sim", "digest": "sha256:...", "in_use": [digests]}`, or `{"remove": digest}`.

    `in_use` names the images that live workloads need; without it nothing is evicted.
    """

    reference: str
    digest: str
    in_use: frozenset[str] | None
    remove: bool = False


def main() -> None:
    """Serve the request on standard input (systemd, Accept=yes) and exit; the answer is the exit's only meaning."""
    arguments = _arguments()
    settings = load_settings(arguments.settings, timeout_s=arguments.timeout_s, credentials=arguments.credentials)
    _limit_self(settings)
    if arguments.child:
        _depend_on_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it has begun is ended and cleared away
    sys.exit(0 if serve(sys.stdin.buffer, sys.stdout.buffer, settings) else 1)


def serve(stdin: BinaryIO, stdout: BinaryIO, settings: ConvertSettings) -> bool:
    """Read one request, do it, answer. True when it was done; the answer says why not otherwise.

    A client that went away does not stop the conversion: the next one finds it done.
    """

    def write(answer: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            stdout.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
            stdout.flush()

    try:
        answer = perform(
            read_request(stdin.readline(MAX_REQUEST_BYTES + 1)), settings, lambda text: write({"progress": text})
        )
    except ContainersError as exc:
        word = exc.error if isinstance(exc, ConversionFailed) else exc.code
        write({"ok": False, "error": PROTOCOL_WORDS.get(word, word), "message": str(exc)})
        return False
    except OSError as exc:
        write({"ok": False, "error": "no_space" if exc.errno == errno.ENOSPC else "failed", "message": str(exc)})
        return False
    write({"ok": True, **answer})
    return True


def read_request(line: bytes) -> Request:
    """Raises ConversionFailed("refused") for a line that is not a request."""
    try:
        if not line.endswith(b"\n"):
            raise ValueError("the request is not a line of JSON")
        raw = json.loads(line)
        if not isinstance(raw, dict):
            raise ValueError("the request is not a JSON object")
        if "remove" in raw:
            return Request("", check_digest(raw["remove"]), None, remove=True)
        in_use = raw.get("in_use")
        return Request(
            reference=str(raw["reference"]),
            digest=check_digest(raw["digest"]),
            in_use=None if in_use is None else frozenset(check_digest(digest) for digest in in_use),
        )
    except (ValueError, KeyError, TypeError, ContainersError) as exc:
        raise ConversionFailed("refused", f"not a conversion request: {exc}") from exc


def perform(request: Request, settings: ConvertSettings, say: Say) -> dict[str, Any]:
    """Do it once under the digest's lock. Raises ContainersError."""
    with cache.locked(settings.images, request.digest, timeout_s=settings.timeout_s):
        if request.remove:
            return {"freed": cache.remove(settings.images, request.digest)}
        found = cache.find(settings.images, request.digest) or _make(request, settings, say)
        cache.touch(found)
        return {"sif": str(found.path), "size": found.size, "config": found.config.to_json()}


def _make(request: Request, settings: ConvertSettings, say: Say) -> cache.CachedImage:
    """Ask the registry, make room, build to a temporary name, put in place. The lock is held."""
    reference = parse(request.reference).pinned(request.digest)
    check_allowed(reference, settings.access.allowed)
    say(f"asking {reference.registry} for {reference.digest}")
    image = anyio.run(resolve, reference, settings.access)
    _make_room(request, settings, image.size)
    with cache.work_folder(settings.images, request.digest) as work:
        sif = build_sif(
            image.reference, work, settings.access, say, timeout_s=settings.timeout_s, program=settings.apptainer
        )
        side = work / "image.json"
        side.write_text(json.dumps({"reference": str(image.reference), "config": image.config.to_json()}))
        side.chmod(0o644)
        sif.chmod(0o644)
        side.replace(cache.side_path(settings.images, request.digest))
        sif.replace(cache.sif_path(settings.images, request.digest))
    made = cache.find(settings.images, request.digest)
    if made is None:
        raise ConversionFailed("failed", "the image disappeared while it was put in place")
    say(f"converted: {made.size} bytes")
    return made


def _make_room(request: Request, settings: ConvertSettings, layers_bytes: int) -> None:
    """Evict what nobody needs, then see that the disk holds the work. Raises ConversionFailed("no_space")."""
    if request.in_use is not None:
        cache.evict(settings.images, settings.max_bytes, request.in_use, wanted=layers_bytes)
    needed, free = layers_bytes * SPACE_FACTOR, _free_bytes(settings.images)
    if free < needed:
        raise ConversionFailed(
            "no_space",
            f"{settings.images} has {free // 2**20} MiB free; converting this image needs {needed // 2**20} MiB",
        )


def _free_bytes(folder: Path) -> int:
    """What an ordinary user may still write there."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def load_settings(path: Path, *, timeout_s: float = 1800.0, credentials: Path | None = None) -> ConvertSettings:
    """From the portal's own file: `storage.images`, `storage.images_max_gib`, `images.registries` and its neighbours.

    Raises OSError, tomllib.TOMLDecodeError. The file has no secrets; the login is a systemd credential unless it is given.
    """
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    storage, images = tables.get("storage", {}), tables.get("images", {})
    return ConvertSettings(
        images=Path(storage.get("images", "/shared/images")),
        max_bytes=int(storage.get("images_max_gib", 200)) * GIB,
        access=RegistryAccess(
            allowed=tuple(images.get("registries", ())),
            insecure=tuple(images.get("insecure_registries", ())),
            ca_file=Path(images["ca_file"]) if images.get("ca_file") else None,
            credentials=credentials or credentials_file(),
        ),
        apptainer=str(images.get("apptainer", APPTAINER)),
        timeout_s=timeout_s,
    )


def _limit_self(settings: ConvertSettings) -> None:
    """Limits that apptainer and mksquashfs inherit; memory is the unit's (Go programs reserve more than they use)."""
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, settings.image_max_bytes),
        (resource.RLIMIT_CPU, settings.cpu_s),
    ):
        _, hard = resource.getrlimit(limit)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    os.umask(0o022)


def _depend_on_parent() -> None:
    """Give way to others, and get TERM when the parent is killed. Source: man 2 PR_SET_PDEATHSIG."""
    os.nice(NICE)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="one-convert", description="Convert one image; the request is on stdin.")
    default = os.environ.get("ONE_SETTINGS", "/etc/one/portal.toml")
    parser.add_argument("--settings", type=Path, default=Path(default), help="the portal's settings (%(default)s)")
    parser.add_argument("--credentials", type=Path, help="a Docker config.json with logins for registries")
    parser.add_argument("--child", action="store_true", help="give way to others, and end when the parent ends")
    parser.add_argument("--timeout-s", type=float, default=1800.0, help="longest conversion (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
