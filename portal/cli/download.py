"""A model's file onto this disk: resumed where it stopped, kept only if its sha256 is the manifest's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from portal.cli.api import Api, ConnectionLost
from portal.cli.exits import CliError, Exit
from portal.cli.words import Words

CHUNK_BYTES = 1 << 20
TRIES = 5
Progress = Callable[[int], None]


def target_of(folder: Path, path: str, words: Words) -> Path:
    """Where a manifest's path goes below `folder`. Raises CliError for a path that leads elsewhere."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or any(part in {"..", "."} or "\0" in part or "\\" in part for part in parts):
        raise CliError(Exit.FAILED, words("unsafe_path", path=path))
    return folder.joinpath(*parts)


def fetch(api: Api, words: Words, url: str, entry: dict[str, Any], target: Path, progress: Progress) -> bool:
    """Download one file of a manifest; False: it was there already, whole and right.

    Raises CliError: another file is in the way, the sha256 differs (what was received is deleted), connection lost again
    and again (what was received stays, for the next call).
    """
    if target.exists():
        if sha256_of(target) != entry["sha256"]:
            raise CliError(Exit.CONFLICT, words("other_file", path=target))
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for last in (*[False] * (TRIES - 1), True):
        try:
            _receive(api, url, part, entry["size"], progress)
            break
        except ConnectionLost:
            if last:
                raise
    if sha256_of(part) != entry["sha256"]:
        part.unlink()
        raise CliError(Exit.FAILED, words("bad_sha256", path=target))
    part.replace(target)
    return True


def _receive(api: Api, url: str, part: Path, size: int, progress: Progress) -> None:
    """Append what is missing to `part`; a part that is too long starts again."""
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    progress(have)
    if have == size:
        part.touch()
        return
    with api.stream(url, {"Range": f"bytes={have}-"} if have else {}) as response, part.open("ab") as file:
        if have and response.status_code != 206:
            file.truncate(0)
            have = 0
        for chunk in response.iter_bytes(CHUNK_BYTES):
            file.write(chunk)
            have += len(chunk)
            progress(have)


def sha256_of(path: Path) -> str:
    """The file's digest in hex."""
    import hashlib  # loads OpenSSL, which `one --help` has no use for

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
