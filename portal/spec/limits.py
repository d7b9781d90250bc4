"""The limits of a spec, in one place; docs/app-spec.md names each of them."""

from __future__ import annotations

MAX_BYTES = 2 * 1024 * 1024
MAX_COMPONENTS = 200
MAX_EDGES = MAX_COMPONENTS * (MAX_COMPONENTS - 1)
"""Connections of one Task: more cannot be told apart."""
MAX_PROBLEMS = 200
"""Problems that one answer lists; what is beyond is said, not listed."""
MAX_VALUE_BYTES = 32 * 1024
MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1
"""Larger integers change their value in browsers and in many JSON libraries. Source: RFC 8259 section 6."""
MAX_ENVIRONMENT_BYTES = 1024 * 1024
"""App variables, parameters and arguments of one component. Linux refuses about 2 MiB for all of execve (man execve)."""
MAX_GPUS = 1024
MAX_CPUS = 4096
MAX_NODES = 1024
MAX_RETRIES = 10
MAX_MEMORY_MIB = 1024 * 1024 * 1024
READY_TIMEOUT_S = 120
MAX_READY_TIMEOUT_S = 24 * 3600
MAX_TIME_LIMIT_S = 365 * 24 * 3600
