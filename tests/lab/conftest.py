"""The lab for the tests of the whole system: what versions they ran on, and `one` as each of the lab's people."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.commandline import One
from lab.hosts import LabTrouble, on

VERSIONS = """
import importlib.metadata, platform, re, subprocess
def said(*words):
    ran = subprocess.run(words, capture_output=True, text=True, timeout=20)
    found = re.search(r"\\d\\S*", ran.stdout)
    return found.group() if found else "missing"
def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
psql = ("runuser", "-u", "postgres", "--", "psql", "--no-psqlrc", "-tAc", "show server_version")
print(f"Slurm {said('sinfo', '--version')}, PySlurm {installed('pyslurm')}, Apptainer {said('apptainer', '--version')}, "
      f"PostgreSQL {said(*psql)}, MinIO {said('minio', '--version')}, Python {platform.python_version()}")
"""
"""Runs in the portal's own Python on svc."""


def pytest_report_header() -> str:
    """The versions that the lab's tests run on; without a lab every one of them fails."""
    try:
        return "lab: " + on("svc", "/opt/one/venv/bin/python", "-c", VERSIONS).strip()
    except LabTrouble as error:
        return f"lab: {error}"


@pytest.fixture(scope="session")
def kim() -> One:
    """A researcher."""
    return One.of("kim")


@pytest.fixture(scope="session")
def park() -> One:
    """Another researcher."""
    return One.of("park")


@pytest.fixture(scope="session")
def admin() -> One:
    """An administrator, who runs nothing."""
    return One.of("admin")


@pytest.fixture(scope="session")
def viewer() -> One:
    """Somebody who only looks."""
    return One.of("viewer")


@pytest.fixture(scope="session")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where spec files are written."""
    return tmp_path_factory.mktemp("specs")
