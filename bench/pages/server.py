"""python -m bench.pages.server SETTINGS.json PORT: one web process, as `one-web` runs it, with a store in memory."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from unittest.mock import patch

import structlog
import uvicorn

from portal import heap
from portal.settings import Settings
from portal.web.app import create_app
from tests.store.memory import MemoryStore


def main() -> None:
    """Serve until told to stop."""
    structlog.configure(processors=[_dropped])
    settings = Settings.model_validate_json(Path(sys.argv[1]).read_bytes())
    me = pwd.getpwuid(os.getuid())  # whose the simulated run directories are
    app = create_app(settings, store=MemoryStore())  # type: ignore[arg-type]
    heap.settle()
    with patch("pwd.getpwnam", lambda _name: me):
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_config=None)


def _dropped(*_: object) -> structlog.types.EventDict:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
