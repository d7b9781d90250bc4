"""How systemd-nspawn(1) wants its arguments written."""

from __future__ import annotations

from pathlib import Path


def bind(outside: Path, inside: str, *, read_only: bool = False) -> str:
    """Return the option that shows a file or folder of this machine inside, under a possibly other name."""
    option = "--bind-ro" if read_only else "--bind"
    return f"{option}={_escaped(str(outside))}:{_escaped(inside)}"


def _escaped(path: str) -> str:
    """Quote the separator of --bind= and its own quoting character."""
    return path.replace("\\", "\\\\").replace(":", "\\:")
