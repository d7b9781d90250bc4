"""Runs one build step inside a root filesystem that stays as it was, with this machine's network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from onelab.commands import run_logged
from onelab.nspawn import bind

PASSED_ON = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GOPROXY", "GOSUMDB", "GOFLAGS")
PASSED_ON_PREFIXES = ("PIP_", "UV_")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
HOST_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/uv/uv.toml")
"""This machine's trust and package settings: seen during a build, never part of what is built."""


@dataclass(frozen=True)
class Step:
    """A Python recipe, its arguments, and the folders (inside -> on this machine) that it may write or read."""

    recipe: Path
    args: tuple[str, ...] = ()
    writable: Mapping[str, Path] = field(default_factory=dict)
    readable: Mapping[str, Path] = field(default_factory=dict)
    timeout_s: float = 1800


def registry_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say how this machine reaches package registries."""
    names = set(PASSED_ON) | set(PROXIES)
    return {
        name: value for name, value in sorted(environ.items()) if name in names or name.startswith(PASSED_ON_PREFIXES)
    }


def nspawn_argv(
    root: Path, machine: str, step: Step, settings: Mapping[str, str], host_files: tuple[Path, ...]
) -> list[str]:
    """Return the command that runs `step` in `root`; whatever it writes outside its folders is forgotten."""
    argv = ["systemd-nspawn", "-q", "-D", str(root), f"--machine={machine}", "--volatile=overlay"]
    argv += ["--register=no", "--keep-unit"]
    argv += ["--pipe", "--as-pid2", "--resolv-conf=copy-host", "--timezone=off", "--link-journal=no"]
    argv += [bind(outside, inside) for inside, outside in step.writable.items()]
    readable = {"/recipe.py": step.recipe, **{str(path): path for path in host_files}, **step.readable}
    argv += [bind(outside, inside, read_only=True) for inside, outside in readable.items()]
    argv += [f"--setenv={name}={value}" for name, value in settings.items()]
    return [*argv, "--setenv=HOME=/root", "/usr/bin/python3", "/recipe.py", *step.args]


def run_inside(root: Path, step: Step, log: Path) -> None:
    """Run `step` in `root`.

    Raises: CommandFailed, with the end of the log.
    """
    settings = registry_settings(os.environ)
    mentioned = [value for value in settings.values() if value.startswith("/")]
    host_files = tuple(Path(name) for name in dict.fromkeys([*HOST_FILES, *mentioned]) if Path(name).exists())
    # Several steps may run in the same root at once: nspawn tells them apart by this name only.
    machine = f"one-build-{uuid4().hex[:12]}"
    run_logged(nspawn_argv(root, machine, step, settings, host_files), log=log, timeout_s=step.timeout_s)
