"""House rules of the roles: tables of contents, cures, secrets out of the log, no waiting by the clock."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import yaml

from portal.db.models import Base, User
from tests.ansible.conftest import ANSIBLE, ROLES, Task, defaults

LIBRARIES = {"packages", "secrets"}
"""Roles that others include; they do one thing and have no chapters."""

CHAPTERS = ("Validate", "Install", "Configure", "Verify", "Push", "It must be")
SECRET = re.compile(
    r"secrets_(?!directory)|slurm_config_jwt_key\b(?!_)|\.password\b|_token\.stdout|munge_key\b|OBJECT_STORE|_environment\b"
)


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir() if path.name not in LIBRARIES))
def test_main_is_a_table_of_contents(role: str) -> None:
    main = yaml.safe_load((ROLES / role / "tasks" / "main.yml").read_text())
    names = [task["name"] for task in main]
    assert all(name.startswith(CHAPTERS) for name in names), names
    assert names[0].startswith("Validate")


def test_every_assertion_names_the_cure(tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        check = task.body.get("ansible.builtin.assert")
        if check is not None:
            assert len(check.get("fail_msg", "")) > 40, f"{task}: fail_msg must say what to do"


def test_secrets_stay_out_of_the_log(tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        body = {key: value for key, value in task.body.items() if key not in ("block", "name", "when", "vars")}
        if SECRET.search(json.dumps(body)):
            assert task.body.get("no_log") is True, f"{task}: handles a secret and needs no_log: true"


def test_nothing_waits_by_the_clock(tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        assert "ansible.builtin.pause" not in task.body, task
        assert not re.search(r"\bsleep\b", json.dumps(task.body)), task


def test_only_modules_that_ansible_core_has(tasks: tuple[Task, ...]) -> None:
    for task in tasks:
        modules = [key for key in task.body if "." in key]
        assert all(module.startswith("ansible.builtin.") for module in modules), task


def test_shell_is_used_once_for_what_only_a_shell_can(tasks: tuple[Task, ...]) -> None:
    assert [task.file for task in tasks if "ansible.builtin.shell" in task.body] == ["roles/tls/tasks/sign.yml"]


def test_the_web_role_has_a_decision_for_every_table() -> None:
    assert set(defaults("portal")["portal_web_tables"]) == set(Base.metadata.tables) | {"alembic_version"}


def test_the_web_role_can_never_change_what_was_recorded() -> None:
    powers = defaults("portal")["portal_web_tables"]
    assert "UPDATE" not in powers["audit"] + powers["events"]
    assert not any(powers[table] for table in ("attempts", "slurm_jobs", "cluster_state"))
    assert powers["models"] == ["UPDATE (archived_at, asked, name)"], "what a model is, only the daemon says"
    assert powers["alias_moves"] == powers["model_notes"] == ["INSERT"], "history is added to"
    assert powers["audit_seals"] == powers["audit_seal_rows"] == [], "only the daemon seals"
    passing = {
        "app_editors",
        "browser_sessions",
        "cli_logins",
        "component_uses",
        "draft_saves",
        "drafts",
        "maintenance",
        "sign_in_tries",
        "sso_flows",
        "training_templates",
        "webhooks",
    }
    assert {table for table, granted in powers.items() if "DELETE" in granted} == passing, "all else is kept for ever"
    added, changed = powers["users"]
    assert (added, changed.startswith("UPDATE (")) == ("INSERT", True)
    columns = changed.removeprefix("UPDATE (").removesuffix(")").split(", ")
    assert columns == sorted(columns)
    fixed = {"id", "username", "created_at", "mapping_state", "mapping_says", "mapping_checked_at"}
    assert set(columns) == set(User.__table__.columns.keys()) - fixed, "what the daemon saw, only the daemon writes"


def test_every_service_program_has_a_unit() -> None:
    scripts = tomllib.loads((ANSIBLE.parent / "pyproject.toml").read_text())["project"]["scripts"]
    services = {name for name in scripts if name.startswith("one-")}
    started = {
        found.group(1)
        for path in (ROLES / "portal" / "templates").glob("*.service.j2")
        if (found := re.search(r"^ExecStart=\{\{ portal_venv_bin \}\}/(\S+)$", path.read_text(), re.MULTILINE))
    }
    assert started == services


def test_the_example_and_the_lab_set_only_what_some_role_knows() -> None:
    known = {name for role in ROLES.iterdir() if (role / "defaults").exists() for name in defaults(role.name)}
    known |= {"one_wheel", "one_images_dir", "one_lab_ca_dir"}
    for path in sorted((ANSIBLE / "inventories").glob("*/group_vars/**/*.yml")):
        unknown = set(yaml.safe_load(path.read_text())) - known
        assert not unknown, f"{path.name}: no role reads {sorted(unknown)}"


def test_the_document_names_every_role_that_verifies_and_every_group() -> None:
    text = (ANSIBLE.parent / "docs" / "install.md").read_text()
    play_hosts = {play["hosts"] for play in yaml.safe_load((ANSIBLE / "site.yml").read_text())}
    groups = {name for hosts in play_hosts for name in re.split(r"[:\[]", hosts) if re.match(r"[a-z_]+$", name)} - {
        "all"
    }
    assert all(f"`{group}`" in text for group in groups)


@pytest.mark.parametrize(
    "state", ["idle", "mixed-", "planned", "allocated", "completing", "drained", "maint$", "mixed@"]
)
def test_a_busy_or_drained_node_is_a_good_one(state: str) -> None:
    assert re.match(_good_state(), f"{state}|none")


@pytest.mark.parametrize("state", ["down", "down*", "idle*", "inval", "unknown", "idle~", "powering_up"])
def test_a_node_that_cannot_run_jobs_is_not(state: str) -> None:
    assert not re.match(_good_state(), f"{state}|none")


def _good_state() -> str:
    variables = yaml.safe_load((ROLES / "slurm_compute" / "vars" / "main.yml").read_text())
    return str(variables["slurm_compute_good_state"])
