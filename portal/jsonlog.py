"""Log lines as JSON on stderr: one shape for web and daemon, read by journald and whatever collects it."""

from __future__ import annotations

import sys

import structlog


def configure() -> None:
    """Call once, before the first line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
