"""The tokens that Slurm itself gives to the user who asks for one: `scontrol token`, asked again before the last one ends.

    $ scontrol token lifespan=3600
    SLURM_JWT=eyJhbGciOiJIUzI1NiIs...

A token lives in this process's memory only. Source: https://slurm.schedmd.com/scontrol.html#OPT_token (26.05).
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import jwt

from slurm.errors import NotPermitted, ProtocolError, SlurmUnreachable

LIFETIME_S = 3600
RENEW_BEFORE_S = 900
"""Early enough that slurmctld may be away for a while, or the least half of a shorter life that the site allows."""
TIMEOUT_S = 60
VARIABLE = "SLURM_JWT"


class OwnTokens:
    """Tokens of one user, who runs this process; safe for several threads. Nothing shows them."""

    def __init__(
        self,
        user: str,
        scontrol: Path,
        environment: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._user = user
        self._argv = [str(scontrol), "token", f"lifespan={LIFETIME_S}"]
        self._environment = {name: value for name, value in environment.items() if name != VARIABLE}
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = self._ends_at = 0.0

    def token(self, user: str) -> str:
        """The user's own token.

        Raises NotPermitted for anybody else, SlurmUnreachable with scontrol's words when Slurm gives none.
        """
        if user != self._user:
            raise NotPermitted(f"this portal acts as {self._user} only, not as {user}")
        with self._lock:
            if self._clock() >= self._renew_at:
                self._renew()
            return self._token

    def _renew(self) -> None:
        """Ask for a new one; the old one serves while it is good and Slurm gives none."""
        asked_at = self._clock()
        try:
            self._token, lifetime_s = self._asked()
        except SlurmUnreachable:
            if self._clock() >= self._ends_at:
                raise
            return
        self._ends_at = asked_at + lifetime_s
        self._renew_at = self._ends_at - min(RENEW_BEFORE_S, lifetime_s / 2)

    def _asked(self) -> tuple[str, float]:
        """A token and its life in seconds, of its own claims: the clocks of two hosts may differ, a span does not."""
        try:
            ran = subprocess.run(
                self._argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SlurmUnreachable(f"scontrol token did not answer in {TIMEOUT_S} s") from error
        except OSError as error:
            raise SlurmUnreachable(f"{self._argv[0]} cannot be started: {error.strerror}") from error
        name, _, token = ran.stdout.strip().partition("=")
        if ran.returncode != 0 or name != VARIABLE:
            raise SlurmUnreachable(f"scontrol token: {ran.stderr.strip() or f'it ended with {ran.returncode}'}")
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
            return token, float(claims["exp"]) - float(claims["iat"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise ProtocolError("scontrol token printed something that is no token") from None
