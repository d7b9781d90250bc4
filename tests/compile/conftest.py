"""The lab's inventory and site, and a request for the specification's example."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from containers.image import ImageConfig
from portal.compile import CpuPolicy, RunnableImage, RunRequest, SitePolicy, resolve
from portal.domain.priority import Place
from portal.spec.graph import components_of
from portal.spec.load import load_spec
from portal.spec.models import AppSpec
from slurm.inventory import NodeClass

EXAMPLE = Path(__file__).parents[1] / "spec" / "data" / "app-spec-example.json"
LAB = (
    NodeClass("A100", "A100", "a100", "", 8, 0, 32, 200_000, 2),
    NodeClass("V100", "tesla_v100", "v100", "", 8, 32, 32, 200_000, 1),
)
SITE = SitePolicy(
    runs=PurePosixPath("/shared/runs"),
    scratch=PurePosixPath("/tmp"),
    cpus=CpuPolicy(cpus_per_gpu=2, cpus_without_gpu=2),
)


def pinned(document: dict[str, Any]) -> AppSpec:
    """A spec whose images have made-up digests, one for each reference."""
    spec = load_spec(document).spec
    references = dict.fromkeys(component.image.reference for _, _, component in components_of(spec))
    return resolve(spec, {reference: f"sha256:{number:064x}" for number, reference in enumerate(references)})


def images_of(spec: AppSpec) -> dict[str, RunnableImage]:
    """Converted images whose Entrypoint is /usr/bin/run."""
    digests = {component.image.digest or "" for _, _, component in components_of(spec)}
    config = ImageConfig(entrypoint=("/usr/bin/run",), cmd=("--default",), working_dir="/app")
    return {digest: RunnableImage(f"/shared/images/{digest.replace(':', '-')}.sif", config) for digest in digests}


def request_for(spec: AppSpec, **fields: Any) -> RunRequest:
    """A first attempt by kim."""
    values: dict[str, Any] = {
        "workload": "W-ABC234",
        "attempt": 1,
        "owner": "kim",
        "account": "lab",
        "place": Place("one-normal", 400_000_000),
        "time_limit_min": 1440,
    }
    return RunRequest(spec=spec, **{**values, **fields})


@pytest.fixture
def example() -> AppSpec:
    """The specification's example, resolved."""
    return pinned(json.loads(EXAMPLE.read_text("utf-8")))
