"""The one place where the lab starts outside commands and waits for them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from onelab.errors import CommandFailed

ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
"""A build must not go on, and write into the cache, when the lab tool that waits for it was killed."""


def run(argv: Sequence[str], *, timeout_s: float, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its standard output.

    Raises: CommandFailed, with both outputs, when it ends badly or takes longer than `timeout_s`.
    """
    try:
        done = subprocess.run(
            list(argv), cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as exc:
        raise CommandFailed(argv, None, _text(exc.stdout) + _text(exc.stderr)) from exc
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stdout + done.stderr)
    return done.stdout


def run_logged(
    argv: Sequence[str],
    *,
    log: Path,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a long command with everything it prints going to the end of `log`.

    Raises: CommandFailed, with the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        begin = sink.tell()
        try:
            code: int | None = subprocess.run(
                [*ENDS_WITH_US, *argv],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
    if code != 0:
        raise CommandFailed(argv, code, log.read_bytes()[begin:].decode(errors="replace"), log)


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
