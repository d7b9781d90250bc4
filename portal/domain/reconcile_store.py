"""Compares the portal's models and logs with what lies in S3; each disagreement becomes a finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.domain.findings import Code, Finding
from portal.domain.lifecycle import State

MANIFEST, FILES = "manifest.json", "files/"
LOGS_PATIENCE_S = 60
"""How long an ended attempt's logs may be under way."""


@dataclass(frozen=True)
class ModelFacts:
    """One model row: where it lies and the manifest that the portal remembers (None while it is being stored).

    `purged`: its files were deleted, the manifest stays; `asked`: the daemon is about to change what is there.
    """

    name: str
    workload: str
    workload_state: State
    stored: bool
    prefix: str
    manifest: Mapping[str, Any] | None = None
    purged: bool = False
    asked: bool = False


@dataclass(frozen=True)
class LogFacts:
    """One ended attempt: whether anything ran, whether its logs were saved, how many objects S3 has of it."""

    workload: str
    attempt: int
    began: bool
    saved: bool
    ended_s: float
    objects: int


def compare_models(
    models: Iterable[ModelFacts],
    objects: Mapping[str, int],
    manifests: Mapping[str, Any],
    hashes: Mapping[str, str],
) -> tuple[Finding, ...]:
    """`objects` is key -> size of the whole bucket, `manifests` prefix -> document as stored (absent: not there),

    `hashes` key -> sha256 of those objects that were read.
    """
    explained: set[str] = set()
    found: list[Finding] = []
    for model in models:
        if model.asked or not (model.stored or model.purged):
            explained |= {key for key in objects if key.startswith(model.prefix)}
            found += () if model.asked else _unfinished(model)
            continue
        found += _manifest(model, manifests)
        explained.add(model.prefix + MANIFEST)
        for file in () if model.purged else (model.manifest or {}).get("files", ()):
            key = f"{model.prefix}{FILES}{file['path']}"
            explained.add(key)
            found += _file(model, key, file, objects, hashes)
    found += [
        Finding(Code.OBJECT_WITHOUT_ROW, "object", key, "no model", f"{objects[key]} bytes", "s3")
        for key in sorted(objects.keys() - explained)
    ]
    return tuple(found)


def models_missing(written: Mapping[str, int], models: Iterable[ModelFacts]) -> tuple[Finding, ...]:
    """Completed workloads (id -> files in their model folder) that should have a model and have none."""
    with_model = {model.workload for model in models}
    return tuple(
        Finding(Code.MODEL_MISSING, "workload", workload, "completed", f"{files} files written", "s3", workload)
        for workload, files in written.items()
        if files and workload not in with_model
    )


def compare_logs(attempts: Iterable[LogFacts]) -> tuple[Finding, ...]:
    """Ended attempts whose logs are not where they should be."""
    found = []
    for one in attempts:
        name = f"{one.workload} a{one.attempt}"
        if not one.saved and one.ended_s > LOGS_PATIENCE_S:
            says = f"ended {one.ended_s:.0f} s ago"
            found.append(
                Finding(Code.LOGS_NOT_SAVED, "attempt", name, says, f"{one.objects} objects", "s3", one.workload)
            )
        elif one.saved and one.began and not one.objects:
            found.append(Finding(Code.LOGS_MISSING, "attempt", name, "saved", "no objects", "s3", one.workload))
    return tuple(found)


def _unfinished(model: ModelFacts) -> Iterator[Finding]:
    if model.workload_state is not State.SAVING:
        says = f"saving, its workload is {model.workload_state.value}"
        yield Finding(Code.MODEL_UNFINISHED, "model", model.name, says, "no manifest", "s3", model.workload)


def _manifest(model: ModelFacts, manifests: Mapping[str, Any]) -> Iterator[Finding]:
    document = manifests.get(model.prefix)
    if document is None:
        yield Finding(Code.MANIFEST_MISSING, "model", model.name, "stored", "no manifest", "s3", model.workload)
    elif document != model.manifest:
        yield Finding(Code.MANIFEST_DIFFERS, "model", model.name, "stored", "another manifest", "s3", model.workload)


def _file(
    model: ModelFacts, key: str, file: Mapping[str, Any], objects: Mapping[str, int], hashes: Mapping[str, str]
) -> Iterator[Finding]:
    size, sha256 = objects.get(key), hashes.get(key, file["sha256"])
    if size is None:
        yield Finding(Code.OBJECT_MISSING, "object", key, f"{file['size']} bytes", "no object", "s3", model.workload)
    elif size != file["size"]:
        yield _differs(model, key, f"{file['size']} bytes", f"{size} bytes")
    elif sha256 != file["sha256"]:
        yield _differs(model, key, f"sha256 {file['sha256'][:12]}", f"sha256 {sha256[:12]}")


def _differs(model: ModelFacts, key: str, portal: str, other: str) -> Finding:
    return Finding(Code.OBJECT_DIFFERS, "object", key, portal, other, "s3", model.workload)
