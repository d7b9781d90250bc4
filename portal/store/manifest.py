"""A model's manifest: what was stored, and the whole line from the App's version to the Slurm jobs that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class StoredFile:
    """One file of a model: path below `files/`, size in bytes, sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Lineage:
    """Where a model comes from; `images` is step id -> reference@digest, `slurm_jobs` leader id -> component ids."""

    app_id: str
    app_version: str
    workload: str
    attempt: int
    spec_hash: str
    owner: str
    unix_user: str
    images: Mapping[str, str]
    slurm_jobs: Mapping[str, list[int]]
    training_config: Mapping[str, Any] | None
    data_path: str | None
    metrics: Mapping[str, Any]
    plan_form: str
    rerun_of: str | None = None


def manifest(
    name: str, version: int, files: Iterable[StoredFile], refused: Iterable[str], lineage: Lineage, at: datetime
) -> dict[str, Any]:
    """The manifest document; its presence in the bucket is what publishes the model, so it is written last."""
    stored = [asdict(file) for file in files]
    return {
        "format": FORMAT,
        "name": name,
        "version": version,
        "created_at": at.isoformat(timespec="seconds"),
        "size_bytes": sum(file["size"] for file in stored),
        "files": stored,
        "refused": list(refused),
        "lineage": asdict(lineage),
    }
