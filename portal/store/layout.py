"""Where each thing lies in S3: one function a kind of key, so that readers and writers agree."""

from __future__ import annotations

from datetime import date


def app_spec(app_id: str, version: str) -> str:
    """Bucket specs: an App version's spec file."""
    return f"apps/{app_id}/{version}.json"


def workload_spec(workload_id: str, spec_hash: str) -> str:
    """Bucket specs: the resolved spec that a workload ran."""
    return f"workloads/{workload_id}/{spec_hash}.json"


def test_result(spec_hash: str, run_id: str) -> str:
    """Bucket tests: the loopTest document of one test run."""
    return f"{spec_hash}/{run_id}.json"


def log_prefix(workload_id: str, attempt: int) -> str:
    """Bucket logs: everything an attempt wrote about itself; keys below it are paths relative to the run directory."""
    return f"{workload_id}/a{attempt}/"


def model_prefix(app_id: str, version: int) -> str:
    """Bucket models: one model version; `manifest.json` is written last, files lie under `files/`."""
    return f"{app_id}/v{version}/"


def analysis_prefix(workload_id: str, run_id: str) -> str:
    """Bucket analysis: what one analysis of a workload left; `manifest.json` is written last, files lie under `files/`."""
    return f"{workload_id}/{run_id}/"


def operator(sha256: str) -> str:
    """Bucket analysis: an uploaded Operator, by its content."""
    return f"operators/{sha256}"


MANIFEST = "manifest.json"
FILES = "files/"
AUDIT_HEADS = "audit/"


def audit_head(day: date) -> str:
    """Bucket specs: the head of the audit log's chain, written once a day and never again."""
    return f"{AUDIT_HEADS}{day.isoformat()}.json"
