"""Where each thing lies in S3: one function a kind of key, so that readers and writers agree."""

from __future__ import annotations


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


MANIFEST = "manifest.json"
FILES = "files/"
