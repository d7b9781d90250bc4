"""Make /opt/one/venv with this filesystem's Python and every package of the lock file, without the project itself.

Run by `onelab.builder`: /in/uv.lock and /in/pyproject.toml are read, /opt/one is written.
PySlurm is left out: it is compiled by a recipe of its own.
"""

import os
import subprocess

VENV = "/opt/one/venv"
REQUIREMENTS = "/tmp/requirements.txt"

environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy", "PYTHONDONTWRITEBYTECODE": "1"}


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, env=environ, timeout=1200)


run("python3", "-m", "venv", VENV)
run("python3", "-m", "venv", "/tmp/tools")
run("/tmp/tools/bin/pip", "install", "-q", "uv")
uv = "/tmp/tools/bin/uv"
run(
    *(uv, "export", "-q", "--frozen", "--project", "/in", "--no-dev", "--all-extras"),
    *("--no-emit-project", "--no-emit-package", "pyslurm", "--output-file", REQUIREMENTS),
)
run(
    uv, "pip", "install", "--python", f"{VENV}/bin/python", "--compile-bytecode", "--require-hashes", "-r", REQUIREMENTS
)
