"""A host with nothing but systemd, ssh, Python and apt becomes a whole Slurm host by the site's playbook, and runs a job.

Reached by ssh only, as a real machine is. `make test-bare`; it installs some hundred packages from Debian's mirror.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from onelab import bare
from onelab.bare import HOST, NAME, Bare
from onelab.base import suite
from onelab.cache import Cache
from onelab.inventory import ssh_options
from onelab.layout import cache_root

from slurm.inside import nodecheck
from slurm.runnerjob import RunnerGroup
from tests.lab import runner_harness
from tests.lab.runner_harness import step

ROOT = Path(__file__).resolve().parents[2]


pytestmark = [
    pytest.mark.bare,
    pytest.mark.timeout(5400),
    # The host's systemd-nspawn outlives the object that started it, as `lab/lab up` means it to.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
PLAYBOOK_TIMEOUT_S = 4800
GROUP = RunnerGroup("A100", gpus=1, shards=0, cpus=2, memory_mib=2000, nodes=1)
NOT_YET = ("slurmd", "slurmctld", "munged", "apptainer", "sudo", "mariadbd", "openssl", "curl", "runc", "gcc")


@pytest.fixture(scope="module")
def fresh() -> Iterator[Bare]:
    """The host as its installer left it."""
    with bare.running(ROOT, Cache(cache_root()), suite()) as host:
        yield host


@pytest.fixture(scope="module")
def host(fresh: Bare) -> Bare:
    """The same after the playbook."""
    missing = fresh.on("sh", "-c", 'for name; do command -v "$name" >/dev/null || echo "$name"; done', "sh", *NOT_YET)
    assert missing.split() == list(NOT_YET), "this host is not bare"
    play(fresh)
    return fresh


def play(host: Bare) -> None:
    """The site's own playbook, but for the portal, whose Python packages come from an index that the host cannot reach."""
    folder = host.layout.state
    inventory = folder / "inventory.yml"
    inventory.write_text(json.dumps(_inventory(host)))
    ca = {"tls_ca_certificate": str(host.layout.ca / "ca.crt"), "tls_ca_key": str(host.layout.ca / "ca.key")}
    more = {**ca, "secrets_directory": str(folder / "secrets")}
    ansible = ROOT / "ansible"
    argv = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(ROOT / "tests/bare/site.yml"), "-i", str(inventory)]
    argv += ["-e", json.dumps(more), "--skip-tags", "portal", str(ansible / "site.yml")]
    environ = {**os.environ, "ANSIBLE_CONFIG": str(ansible / "ansible.cfg")}
    ran = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PLAYBOOK_TIMEOUT_S)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]


def _inventory(host: Bare) -> dict[str, object]:
    reached = {
        "ansible_host": host.address,
        "ansible_ssh_private_key_file": str(host.layout.ssh_key),
        "ansible_ssh_common_args": shlex.join(ssh_options(host.layout)),
    }
    groups: dict[str, object] = {group: {"hosts": {NAME: {}}} for group in HOST.groups}
    return {"all": {"hosts": {NAME: reached}, "children": groups}}


def test_everything_that_a_compute_node_needs_is_there_and_runs(host: Bare) -> None:
    units = ("munge", "slurmctld", "slurmd", "slurmdbd", "mariadb")
    assert host.on("systemctl", "is-active", *units).split() == ["active"] * len(units)
    assert host.on("systemctl", "is-enabled", *units).split() == ["enabled"] * len(units), "they come back after a boot"
    assert host.on("apptainer", "--version").startswith("apptainer version")
    assert host.on("sinfo", "--noheader", "--format=%T").strip() == "idle"


def test_the_test_of_a_node_says_in_a_job_what_is_so(host: Bare) -> None:
    host.on("install", "-d", "-o", "kim", "/shared/check")
    (host.shared / "check/nodecheck.py").write_text(Path(nodecheck.__file__).read_text())
    words = "srun --chdir=/ --mem=1G python3 /shared/check/nodecheck.py --folder /shared/runs --json || test $? = 1"
    said = host.on("runuser", "-u", "kim", "--", "sh", "-c", words, timeout_s=300)
    found = {one["name"]: one for one in json.loads(said)["checks"]}
    # Without cgroups, as here, no limit can bind: that the test says so is what this asserts of it.
    expected = {"folder /shared/runs": "ok", "clock": "ok", "memory limit": "failed", "nvidia-smi": "unknown"}
    assert {name: found[name]["status"] for name in expected} == expected, found


def test_the_runner_runs_a_container_as_the_researcher(host: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    def on(_node: str, *command: str, timeout_s: float = 300, check: bool = True) -> str:
        assert check
        return host.on(*command, timeout_s=timeout_s)

    monkeypatch.setattr(runner_harness, "on", on)
    monkeypatch.setattr(runner_harness, "SHARED", host.shared)
    runner_harness.make_sif()
    job = runner_harness.submit(
        step("hello", 'print(os.getuid(), os.environ["CUDA_VISIBLE_DEVICES"])', gpus=1), groups=(GROUP,)
    )
    job.wait(300)
    assert job.ends() == {"hello": ("completed", "")}, job.output
    assert job.log("hello").split()[0] == "2001"


def test_the_playbook_runs_again(host: Bare) -> None:
    play(host)
