"""Log lines as JSON on stderr: one shape for web and daemon, read by journald and whatever collects it."""

from __future__ import annotations

import sys
from typing import TextIO

import structlog


def configure(stream: TextIO | None = None) -> None:
    """Call once, before the first line; `stream` in place of stderr where a person looks at the terminal."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
    )
