"""Ansible itself renders the templates for the lab: compared whole, and read by the programs that will read them."""

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
from slurm.agentconfig import AgentConfig
from tests.ansible.conftest import ANSIBLE

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "common": ("one.sysusers",),
    "slurm_config": ("slurm.conf", "gres.conf", "cgroup.conf"),
    "portal": ("portal.toml", "agent.toml", "one-web.service", "one-daemon.service", "one-agent.service",
               "one-convert@.service", "one-convert.socket", "portal-admin"),
    "slurm_verify": ("hetjob.sh",),
    "registry": ("config.yml",),
}  # fmt: skip
HOSTS = {
    "ctl": ["slurm_controller", "slurm_database"],
    "svc": ["slurm_rest", "portal", "object_store", "registry", "postgres", "monitoring"],
    "gpu1": ["slurm_compute"],
    "gpu2": ["slurm_compute"],
    "gpu3": ["slurm_compute"],
}


def _inventory(folder: Path) -> Path:
    """The lab's hosts as `lab/lab up` writes them, at addresses that nobody has."""
    hosts = {
        name: {
            "ansible_host": f"192.0.2.{number}",
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
        }
        for number, name in enumerate(HOSTS, start=10)
    }
    groups = sorted({group for groups in HOSTS.values() for group in groups})
    children = {group: {"hosts": {name: {} for name in HOSTS if group in HOSTS[name]}} for group in groups}
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "children": children}}))
    return path


def _playbook(folder: Path, out: Path) -> Path:
    """Render each template with its role's defaults and those it depends on; no task of a role runs."""
    roles = ["secrets", "tls", "slurm_config", "portal_venv", *(role for role in FILES if role != "slurm_config")]
    # Values of an inventory win over a role's defaults, so its files come last.
    group_vars = sorted((ANSIBLE / "inventories" / "lab" / "group_vars").glob("**/*.yml"))
    values = [str(ANSIBLE / "roles" / role / "defaults" / "main.yml") for role in roles]
    values += [str(path) for path in group_vars if path.stem != "slurm_compute"]
    templates = {
        name: f"{{{{ lookup('ansible.builtin.template', '{ANSIBLE}/roles/{role}/templates/{name}.j2') }}}}"
        for role, names in FILES.items()
        for name in names
    }
    render = {
        "name": "Render everything with one module call",
        "ansible.builtin.copy": {"dest": str(out / "rendered.json"), "content": "{{ templates | to_json }}"},
        "vars": {"templates": templates},
    }
    path = folder / "render.yml"
    play = {"name": "Render", "hosts": "svc", "gather_facts": False, "vars_files": values, "tasks": [render]}
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    return path


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lab's rendered files."""
    folder = tmp_path_factory.mktemp("ansible")
    out = folder / "out"
    out.mkdir()
    argv = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        str(_inventory(folder)),
        str(_playbook(folder, out)),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"),
                   "LC_ALL": "C.UTF-8"}  # fmt: skip
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, text in json.loads((out / "rendered.json").read_text()).items():
        (out / name).write_text(text)
    return out


@pytest.mark.parametrize("name", [name for names in FILES.values() for name in names])
def test_rendered_files_are_the_golden_ones(rendered: Path, name: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("ONE_WRITE_GOLDEN"):
        golden.write_text((rendered / name).read_text())
    assert (rendered / name).read_text() == golden.read_text()


def test_the_portal_reads_its_settings(rendered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_SETTINGS", str(rendered / "portal.toml"))
    settings = Settings()
    assert settings.slurm.gpu_labels == {"tesla_v100": "V100"}
    assert settings.database.url == "postgresql+psycopg://one_daemon@localhost/one"
    assert settings.images.registries == ("registry.avatar.io",)


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
        "one-web.service": ["database_password.web", "s3_secret_key.web"],
        "one-daemon.service": ["database_password.daemon", "s3_secret_key.daemon"],
        "one-agent.service": ["jwt_hs256.key"],
        "one-convert@.service": [],
    }
