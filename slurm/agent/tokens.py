"""Short-lived Slurm tokens, signed with the cluster's JWT key.

Source: https://slurm.schedmd.com/jwt.html (HS256, claims sun, iat, exp).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import jwt

from slurm.errors import SlurmError

TOKEN_LIFETIME_S = 60


class Tokens(Protocol):
    """Where a call's token comes from."""

    def token(self, user: str) -> str:
        """A token that makes its bearer `user` on the cluster. Raises SlurmError where none can be had."""


class Signer:
    """Signs as any user: whoever holds the key is root on the cluster. It is never logged, nor shown by repr."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> Signer:
        """Read the key. Raises SlurmError when it cannot be read or is empty."""
        try:
            key = path.read_bytes()
        except OSError as error:
            raise SlurmError(f"{path}: the JWT key cannot be read: {error.strerror}") from error
        if not key:
            raise SlurmError(f"{path}: the JWT key is empty")
        return cls(key)

    def token(self, user: str) -> str:
        """A token that makes its bearer `user` on the cluster for a minute."""
        now = int(time.time())
        return jwt.encode({"sun": user, "iat": now, "exp": now + TOKEN_LIFETIME_S}, self._key, algorithm="HS256")
