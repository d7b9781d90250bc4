"""Ansible itself renders the templates for lab and example: compared whole, and read by the programs that will read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from portal.settings import Settings
from slurm.agent.config import AgentConfig
from tests.ansible.conftest import ANSIBLE

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "common": ("one.sysusers",),
    "slurm_config": ("slurm.conf", "gres.conf", "cgroup.conf"),
    "portal": ("portal.toml", "agent.toml", "one-web.service", "one-daemon.service", "one-agent.service",
               "one-convert@.service", "one-convert.socket", "portal-admin"),
    "slurm_verify": ("hetjob.sh",),
    "registry": ("config.yml",),
    "prometheus": ("prometheus.yml",),
    "dcgm_standin": ("dcgm-standin.service",),
}  # fmt: skip
HOSTS = {
    "ctl": ["slurm_controller", "slurm_database"],
    "svc": ["slurm_rest", "portal", "object_store", "registry", "postgres", "monitoring", "keycloak"],
    "gpu1": ["slurm_compute", "simulated_gpus"],
    "gpu2": ["slurm_compute", "simulated_gpus"],
    "gpu3": ["slurm_compute", "simulated_gpus"],
}


def _inventory(folder: Path) -> Path:
    """The lab's hosts as `lab/lab up` writes them, at addresses that nobody has."""
    hosts = {name: {"ansible_host": f"192.0.2.{number}"} for number, name in enumerate(HOSTS, start=10)}
    groups = sorted({group for groups in HOSTS.values() for group in groups})
    children: dict[str, object] = {
        group: {"hosts": {name: {} for name in HOSTS if group in HOSTS[name]}} for group in groups
    }
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "children": children}}))
    return path


def _playbook(folder: Path, site: str, host: str) -> Path:
    """Render each template with its role's defaults and those it depends on; no task of a role runs."""
    roles = ["secrets", "tls", "slurm_config", "portal_venv", *(role for role in FILES if role != "slurm_config")]
    # Values of an inventory win over a role's defaults, so its files come last.
    group_vars = sorted((ANSIBLE / "inventories" / site / "group_vars").glob("**/*.yml"))
    values = [str(ANSIBLE / "roles" / role / "defaults" / "main.yml") for role in roles]
    values += [str(path) for path in group_vars if path.stem != "slurm_compute"]
    templates = {
        name: f"{{{{ lookup('ansible.builtin.template', '{ANSIBLE}/roles/{role}/templates/{name}.j2') }}}}"
        for role, names in FILES.items()
        for name in names
    }
    render = {
        "name": "Render everything with one module call",
        "ansible.builtin.copy": {"dest": str(folder / "rendered.json"), "content": "{{ templates | to_json }}"},
        "vars": {"templates": templates},
    }
    path = folder / "render.yml"
    play = {"name": "Render", "hosts": host, "gather_facts": False, "vars_files": values, "tasks": [render]}
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    return path


def _render(folder: Path, site: str, inventory: Path, host: str) -> Path:
    """Run Ansible on this machine as if it were `host`; the folder with what it rendered."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), "-e", json.dumps(here)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"),
                   "LC_ALL": "C.UTF-8"}  # fmt: skip
    done = subprocess.run(
        [*argv, str(_playbook(folder, site, host))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name, text in json.loads((folder / "rendered.json").read_text()).items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of rendered files: the lab's, and those of the example that sites copy."""
    lab, example = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("example")
    return {
        "lab": _render(lab, "lab", _inventory(lab), "svc"),
        "example": _render(example, "example", ANSIBLE / "inventories" / "example" / "hosts.yml", "portal1"),
    }


@pytest.fixture
def rendered(sites: dict[str, Path]) -> Path:
    """The lab's."""
    return sites["lab"]


@pytest.mark.parametrize("site", ["lab", "example"])
@pytest.mark.parametrize("name", [name for names in FILES.values() for name in names])
def test_rendered_files_are_the_golden_ones(sites: dict[str, Path], site: str, name: str) -> None:
    text, golden = (sites[site] / name).read_text(), GOLDEN / site / name
    if os.environ.get("ONE_WRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_prometheus_scrapes_what_each_site_has(sites: dict[str, Path]) -> None:
    """The lab's simulated GPUs have a stand-in for dcgm-exporter; the example names none until the site does."""
    for site, dcgm in (("lab", ["gpu1:9400", "gpu2:9400", "gpu3:9400"]), ("example", None)):
        jobs = {
            job["job_name"]: job
            for job in yaml.safe_load((sites[site] / "prometheus.yml").read_text())["scrape_configs"]
        }
        assert jobs["portal"]["static_configs"] == [{"targets": ["127.0.0.1:8000"]}]
        assert jobs["portal"]["authorization"] == {"credentials_file": "/etc/prometheus/portal.token"}
        assert [job for job in jobs.values() if "authorization" in job] == [jobs["portal"]], (
            "nobody else sees the token"
        )
        assert (jobs["dcgm"]["static_configs"][0]["targets"] if "dcgm" in jobs else None) == dcgm
        assert len(jobs["node"]["static_configs"][0]["targets"]) == (3 if site == "lab" else 4)


def test_the_portal_reads_its_settings(rendered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_SETTINGS", str(rendered / "portal.toml"))
    settings = Settings()
    assert settings.slurm.gpu_labels == {"tesla_v100": "V100"}
    assert settings.database.url == "postgresql+psycopg://one_daemon@localhost/one"
    assert settings.images.registries == ("registry.avatar.io",)
    assert settings.monitoring.prometheus == "http://127.0.0.1:9090"
    assert settings.sharing.library is not None


def test_the_agent_reads_its_configuration(rendered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/one-agent.service")
    config = AgentConfig.model_validate(tomllib.loads((rendered / "agent.toml").read_text()))
    assert config.partitions == {"a100", "v100"}
    assert config.jwt_key == Path("/run/credentials/one-agent.service/jwt_hs256.key")


def test_each_unit_gets_only_its_own_secrets(rendered: Path) -> None:
    handed = {
        name: sorted(
            line.removeprefix("LoadCredential=").partition(":")[2].rpartition("/")[2]
            for line in (rendered / name).read_text().splitlines()
            if line.startswith("LoadCredential=")
        )
        for name in ("one-web.service", "one-daemon.service", "one-agent.service", "one-convert@.service")
    }
    assert handed == {
        "one-web.service": ["database_password.web", "metrics_token", "oidc_client_secret", "s3_secret_key.web"],
        "one-daemon.service": ["database_password.daemon", "s3_secret_key.daemon"],
        "one-agent.service": ["jwt_hs256.key"],
        "one-convert@.service": [],
    }
