"""Operators and analyses as JSON of the API."""

from __future__ import annotations

from typing import Any

from portal.db.models import Analysis, OperatorVersion
from portal.services import operators
from portal.services.operators import OperatorLine
from portal.web.schemas import time_text


def operator_document(line: OperatorLine) -> dict[str, Any]:
    """One of the asker's Operators with its versions, the newest first."""
    operator = line.operator
    return {
        "id": operator.id,
        "name": operator.name,
        "createdAt": time_text(operator.created_at),
        "archivedAt": time_text(operator.archived_at),
        "runs": line.runs,
        "versions": [operator_version_document(version) for version in line.versions],
    }


def operator_version_document(version: OperatorVersion) -> dict[str, Any]:
    """One uploaded file; `ref` is how requests name it."""
    return {
        "ref": operators.reference(version),
        "name": version.operator.name,
        "version": version.number,
        "filename": version.filename,
        "form": version.form,
        "files": version.files,
        "sizeBytes": version.size_bytes,
        "sha256": version.sha256,
        "createdAt": time_text(version.created_at),
    }


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    """One analysis: which Operator looked at which run, how it is, and the figures that it found."""
    return {
        "id": analysis.run_id,
        "workload": analysis.workload_id,
        "attempt": analysis.attempt,
        "app": analysis.run.app_id,
        "operator": operator_version_document(analysis.version),
        "owner": analysis.run.owner.username,
        "state": analysis.run.state,
        "phase": analysis.run.phase,
        "failure": analysis.run.failure,
        "figures": analysis.figures,
        "sizeBytes": analysis.size_bytes,
        "files": len((analysis.manifest or {}).get("files", ())),
        "createdAt": time_text(analysis.created_at),
        "storedAt": time_text(analysis.stored_at),
    }


def analysis_detail(analysis: Analysis) -> dict[str, Any]:
    """The same with its manifest, and why figures could not be used."""
    return {**analysis_document(analysis), "manifest": analysis.manifest, "trouble": analysis.error}
