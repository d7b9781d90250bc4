"""Runs the site's own playbook on the lab's hosts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from onelab.cache import content_key, remove
from onelab.commands import run
from onelab.errors import CommandFailed, LabError, MissingPrerequisites
from onelab.layout import Layout

ASSETS_TIMEOUT_S = 600  # the first time, npm downloads everything
WHEEL_TIMEOUT_S = 300
PLAYBOOK_TIMEOUT_S = 1800
TOOLS = {"uv": "pip install uv", "ansible-playbook": "make venv"}


def build_wheel(layout: Layout) -> Path:
    """Build the project's wheel, with the pages' assets in it, into the lab's own folder and return it.

    Raises: CommandFailed; LabError when the build leaves anything but one wheel.
    """
    remove(layout.dist)
    run(["make", "--silent", "assets"], cwd=layout.checkout, timeout_s=ASSETS_TIMEOUT_S)
    argv = [_tool(layout, "uv"), "build", "-q", "--wheel", "--out-dir", str(layout.dist)]
    run(argv, cwd=layout.checkout, timeout_s=WHEEL_TIMEOUT_S)
    wheels = sorted(layout.dist.glob("*.whl"))
    if len(wheels) != 1:
        raise LabError(f"expected one wheel in {layout.dist}, found {[wheel.name for wheel in wheels]}")
    return wheels[0]


def playbook_argv(layout: Layout, program: str, wheel: Path, images: Path, more: Sequence[str]) -> list[str]:
    """Return the command that configures the lab; `more` goes to ansible-playbook as it is."""
    inventories = [layout.checkout / "ansible/inventories/lab", layout.inventory]
    variables = {"one_wheel": wheel, "one_images_dir": images, "one_lab_ca_dir": layout.ca}
    argv = [program]
    for inventory in inventories:
        argv += ["-i", str(inventory)]
    for name, value in variables.items():
        argv += ["-e", _json_variable(name, value)]
    return [*argv, *more, str(layout.checkout / "ansible/site.yml")]


def configure(layout: Layout, wheel: Path, images: Path, more: Sequence[str] = ()) -> None:
    """Run ansible/site.yml; its output goes to the terminal, and to .lab/logs/ansible.log.

    Raises: CommandFailed.
    """
    argv = playbook_argv(layout, _tool(layout, "ansible-playbook"), wheel, images, more)
    environ = {**os.environ, "ANSIBLE_LOG_PATH": str(layout.logs / "ansible.log")}
    settings = layout.checkout / "ansible" / "ansible.cfg"
    if settings.exists():
        environ["ANSIBLE_CONFIG"] = str(settings)
    try:
        code: int | None = subprocess.run(argv, cwd=layout.checkout, env=environ, timeout=PLAYBOOK_TIMEOUT_S).returncode
    except subprocess.TimeoutExpired:
        code = None
    if code != 0:
        raise CommandFailed(argv, code, "", layout.logs / "ansible.log")


def fingerprint(layout: Layout, wheel: Path, images: Path, layers: Iterable[str]) -> str:
    """Return a name for all that Ansible configures the hosts from: the same name, nothing to do."""
    parts = [layout.inventory.read_text(), file_digest(wheel), str(images), *layers]
    roles = layout.checkout / "ansible"
    for path in sorted(path for path in roles.rglob("*") if path.is_file()):
        parts += [str(path.relative_to(roles)), file_digest(path)]
    return content_key(*parts)


def file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _json_variable(name: str, value: Path) -> str:
    """Return an extra variable that keeps its type and its spaces."""
    return json.dumps({name: str(value)})


def missing_tools(layout: Layout) -> list[str]:
    """Return a line with its cure for each command that `apply` needs and this machine lacks."""
    return [f"{name} is missing: {cure}" for name, cure in TOOLS.items() if _found(layout, name) is None]


def _tool(layout: Layout, name: str) -> str:
    """Return the command, the checkout's own before the machine's.

    Raises: MissingPrerequisites when neither is there.
    """
    found = _found(layout, name)
    if found is None:
        raise MissingPrerequisites([f"{name} is missing: {TOOLS[name]}"])
    return found


def _found(layout: Layout, name: str) -> str | None:
    own = layout.checkout / ".venv" / "bin" / name
    return str(own) if own.exists() else shutil.which(name)
