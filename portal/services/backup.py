"""A backup of the portal: its database, its settings file, a list of every stored object and the manifests, in one folder.

    backup.json      what this is, with the sha256 of the other files; written last, so a folder without it is no backup
    database         `pg_dump`'s custom format, or an SQLite file
    portal.toml      the settings file, if there is one; secrets are never in it, and never in a backup
    objects.jsonl    {"bucket": "models", "key": "APP-A1/v1/files/weights.bin", "size": 1234} a line
    manifests/       <bucket>/<key> of every manifest.json: what makes files in S3 a model

The objects themselves are S3's own to keep (versions, replication); restoring says which are gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.engine import make_url

from portal.db import dump
from portal.db.engine import engine_for, migrate, revision, sessions, transaction
from portal.db.models import now
from portal.services.audit import Action, Actor, record
from portal.services.errors import Conflict, Invalid
from portal.settings import Settings, settings_file
from portal.store.layout import MANIFEST
from portal.store.s3 import BUCKETS, ObjectInfo, ObjectStore

NOTE, DATABASE, SETTINGS, OBJECTS, MANIFESTS = "backup.json", "database", "portal.toml", "objects.jsonl", "manifests"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Note:
    """backup.json. `tables`: rows by table; `files`: sha256 by path within the folder."""

    made_at: str
    portal: str
    revision: str
    backend: str
    tables: dict[str, int]
    objects: int
    files: dict[str, str]


@dataclass(frozen=True)
class Restored:
    """What a restore found. `missing`: objects of the backup that S3 lacks or has in another size, as bucket/key."""

    note: Note
    missing: tuple[str, ...]
    written_back: tuple[str, ...]
    settings_differ: bool


async def make(settings: Settings, actor: Actor, store: ObjectStore, folder: Path) -> Note:
    """Write a backup into a new or empty folder. Raises Conflict, DumpError, StoreError, OSError."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(
            "not_empty", f"{folder} is not empty: give a new folder.", f"{folder} 폴더가 비어 있지 않습니다."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = engine_for(settings)
    try:
        async with transaction(sessions(engine)) as session:
            record(session, actor, Action.PORTAL_BACKUP, "portal", "backup", after={"folder": str(folder)})
    finally:
        await engine.dispose()
    # The database first: objects are only added, so all that its rows name is in the list that follows.
    tables = await dump.dump(settings, folder / DATABASE)
    if (source := settings_file()).is_file():
        shutil.copyfile(source, folder / SETTINGS)
    objects = await _list_objects(store, folder)
    note = Note(
        made_at=now().isoformat(),
        portal=version("avatar-one"),
        revision=await revision(settings),
        backend=make_url(settings.database.url).get_backend_name(),
        tables=tables,
        objects=objects,
        files={str(path.relative_to(folder)): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()},
    )
    _write_whole(folder / NOTE, json.dumps(asdict(note), indent=1).encode())
    return note


async def restore(settings: Settings, actor: Actor, store: ObjectStore, folder: Path) -> Restored:
    """Fill the settings' empty database from the folder, bring it to this version's tables, and compare S3 with the list.

    Manifests that are gone are put back where all files they name are there. Raises Invalid (no whole backup), NotEmpty,
    DumpError, StoreError, OSError.
    """
    note = read(folder)
    backend = make_url(settings.database.url).get_backend_name()
    if note.backend != backend:
        raise _broken(folder, f"it is of {note.backend}, this portal's database is {backend}")
    found = await dump.restore(settings, folder / DATABASE)
    if found != note.tables:
        raise _broken(folder, f"the database has other numbers of rows than were saved: {found}")
    await migrate(settings)
    stored = await _stored(store)
    written_back = await _write_back(store, folder, stored)
    missing = [
        f"{bucket}/{key}" for (bucket, key), size in _objects(folder).items() if stored.get((bucket, key)) != size
    ]
    engine = engine_for(settings)
    try:
        async with transaction(sessions(engine)) as session:
            facts = {"folder": str(folder), "made_at": note.made_at, "missing_objects": len(missing)}
            record(session, actor, Action.PORTAL_RESTORE, "portal", "backup", after=facts)
    finally:
        await engine.dispose()
    return Restored(note, tuple(missing), tuple(written_back), _settings_differ(folder))


def read(folder: Path) -> Note:
    """The note of a backup whose files are all as they were written. Raises Invalid, which names what is not."""
    try:
        note = TypeAdapter(Note).validate_json((folder / NOTE).read_bytes())
    except (OSError, ValidationError) as error:
        raise _broken(folder, f"{NOTE} is missing or not readable: {error}") from error
    wrong = [name for name, digest in note.files.items() if not _is_file_with(folder / name, digest)]
    if wrong or DATABASE not in note.files:
        raise _broken(folder, f"missing or changed: {', '.join(wrong) or DATABASE}")
    return note


def _broken(folder: Path, why: str) -> Invalid:
    return Invalid("no_backup", f"{folder} cannot be restored: {why}.", f"{folder} 백업을 복원할 수 없습니다: {why}.")


async def _list_objects(store: ObjectStore, folder: Path) -> int:
    """Write objects.jsonl and the manifests; how many objects there are."""
    count = 0
    with (folder / OBJECTS).open("w") as file:
        for bucket in BUCKETS:
            for found in await store.list_keys(bucket, ""):
                file.write(json.dumps({"bucket": bucket, "key": found.key, "size": found.size}) + "\n")
                count += 1
                if _is_manifest(found):
                    path = _beneath(folder / MANIFESTS, f"{bucket}/{found.key}")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(await store.get_bytes(bucket, found.key))
    return count


def _is_manifest(found: ObjectInfo) -> bool:
    return found.key.rpartition("/")[2] == MANIFEST


def _beneath(folder: Path, key: str) -> Path:
    """A key as a path that stays below the folder. Raises Invalid."""
    path = folder / key
    if ".." in Path(key).parts or not path.is_relative_to(folder):
        raise Invalid(
            "bad_key", f"S3 has an object with the key {key!r}, which is no path.", f"잘못된 키입니다: {key!r}."
        )
    return path


async def _stored(store: ObjectStore) -> dict[tuple[str, str], int]:
    return {(bucket, one.key): one.size for bucket in BUCKETS for one in await store.list_keys(bucket, "")}


def _objects(folder: Path) -> dict[tuple[str, str], int]:
    with (folder / OBJECTS).open() as file:
        lines = [json.loads(line) for line in file]
    return {(line["bucket"], line["key"]): line["size"] for line in lines}


async def _write_back(store: ObjectStore, folder: Path, stored: dict[tuple[str, str], int]) -> Sequence[str]:
    """Put manifests back that S3 lost, where every other object of the same model is still there; into `stored` too."""
    listed = _objects(folder)
    back = []
    for bucket, key in [place for place in listed if place[1].rpartition("/")[2] == MANIFEST and place not in stored]:
        prefix = key.removesuffix(MANIFEST)
        others = {place: size for place, size in listed.items() if place[0] == bucket and place[1].startswith(prefix)}
        others.pop((bucket, key))
        if _all_there(others, stored):
            data = _beneath(folder / MANIFESTS, f"{bucket}/{key}").read_bytes()
            await store.put_bytes(bucket, key, data, "application/json")
            stored[bucket, key] = len(data)
            back.append(f"{bucket}/{key}")
    return back


def _all_there(wanted: Mapping[Any, int], stored: Mapping[Any, int]) -> bool:
    return all(stored.get(place) == size for place, size in wanted.items())


def _settings_differ(folder: Path) -> bool:
    present, saved = settings_file(), folder / SETTINGS
    if not saved.is_file():
        return False
    return not present.is_file() or present.read_bytes() != saved.read_bytes()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _is_file_with(path: Path, digest: str) -> bool:
    return path.is_file() and _sha256(path) == digest


def _write_whole(path: Path, data: bytes) -> None:
    """On the disk, and under its name only when whole."""
    half = path.with_suffix(".half")
    with half.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
