"""One door to slurmrestd: calls over its Unix socket, its answers checked, its errors translated.

Shapes of v0.0.42 to v0.0.45 are the same in every field that this package reads (recorded on Slurm 24.11 and 26.05 in the
same situations, docs/slurm-versions.md), so there is one parser; an answer without those fields is a ProtocolError.
Differences that are bridged: only which REST versions are spoken (24.11: v0.0.42 of ours; 26.05: all), found by asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from slurm.agent.tokens import Tokens
from slurm.errors import ProtocolError, SlurmError, SlurmRefused, SlurmUnreachable

REST_VERSIONS = ("v0.0.45", "v0.0.44", "v0.0.43", "v0.0.42")
"""Newest first. Source: https://slurm.schedmd.com/rest.html#data_parsers (26.05 speaks all four, 24.11 the last)."""

AUTHENTICATION_FAILED = 511
COMMUNICATION_CODES = frozenset({*range(1000, 1026), *range(1800, 1806), 2027, 2131, 5003, 5004, 5005, 7000, 7008})
"""Error numbers that mean "nobody answered": slurmctld or slurmdbd is down, standing by or shutting down.

Source: https://github.com/SchedMD/slurm/blob/master/slurm/slurm_errno.h
"""
AUTHENTICATION_CODES = frozenset({1007, *range(6000, 6012), 9008})
NOT_FOUND_CODES = frozenset({2017})

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]
"""Repeated names are lists: slurmrestd 26.05.5 answers 422 or 500 to comma separated ones."""


class Rest:
    """Calls as any user; `version` is the REST version in use ("v0.0.45"), found by asking."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        socket: Path,
        timeout_s: float,
        transport: httpx2.BaseTransport | None = None,
        versions: Sequence[str] = REST_VERSIONS,
    ) -> None:
        self._tokens = tokens
        self._timeout_s = timeout_s
        self._versions = tuple(versions)
        self._http = httpx2.Client(
            transport=transport or httpx2.HTTPTransport(uds=str(socket)),
            base_url="http://slurmrestd",
            timeout=httpx2.Timeout(timeout_s, connect=5),
        )
        self._version = ""

    def close(self) -> None:
        """Close the connection pool."""
        self._http.close()

    def version(self, user: str) -> str:
        """The newest REST version that both sides speak, asked once. Raises ProtocolError when there is none."""
        if not self._version:
            self._version = self._discover(user)
        return self._version

    def slurm(self, method: str, path: str, *, user: str, **more: Any) -> Json:
        """A call to slurmctld: `slurm("GET", "jobs/", user="kim")`. Raises as `call`."""
        return self.call(method, f"/slurm/{self.version(user)}/{path}", user=user, **more)

    def slurmdb(self, path: str, *, user: str, **more: Any) -> Json:
        """A GET from slurmdbd. Raises as `call`."""
        return self.call("GET", f"/slurmdb/{self.version(user)}/{path}", user=user, **more)

    def modify_job(self, job_id: int, changes: Json, *, user: str) -> Json:
        """Change what slurmdbd keeps of a job. Raises as `call`."""
        return self.call("POST", f"/slurmdb/{self.version(user)}/job/{job_id}", user=user, json=changes)

    def call(
        self,
        method: str,
        path: str,
        *,
        user: str,
        json: Json | None = None,
        params: Query = (),
    ) -> Json:
        """One call as `user`; the whole answer.

        Raises SlurmUnreachable (nothing is known), SlurmRefused with Slurm's number, ProtocolError.
        """
        response = self._send(method, path, user, json, params)
        answer = _object(response)
        problem = _first_error(answer)
        if problem is None and response.is_success:
            return answer
        raise _translated(response.status_code, problem)

    def _send(self, method: str, path: str, user: str, json: Json | None, params: Query) -> httpx2.Response:
        headers = {"X-SLURM-USER-NAME": user, "X-SLURM-USER-TOKEN": self._tokens.token(user)}
        try:
            return self._http.request(method, path, headers=headers, json=json, params=list(params))
        except httpx2.TimeoutException as error:
            raise SlurmUnreachable(f"slurmrestd did not answer {method} {path} in {self._timeout_s:g} s") from error
        except httpx2.RequestError as error:
            raise SlurmUnreachable(f"slurmrestd cannot be reached: {error}") from error

    def _discover(self, user: str) -> str:
        for version in self._versions:
            response = self._send("GET", f"/slurm/{version}/ping/", user, None, ())
            if response.status_code == AUTHENTICATION_FAILED:
                raise _translated(response.status_code, None)
            if response.status_code != 404:
                return version
        raise ProtocolError(
            f"slurmrestd speaks none of {', '.join(self._versions)}: install Slurm 24.11 or later, or a newer OnE, and "
            "see that slurmrestd loads a data parser of that version (slurmrestd -d list)"
        )


def _object(response: httpx2.Response) -> Json:
    if response.status_code == AUTHENTICATION_FAILED:
        return {}
    try:
        answer = response.json()
    except ValueError as error:
        raise ProtocolError(f"HTTP {response.status_code} without JSON: {response.text[:200]!r}") from error
    if not isinstance(answer, dict):
        raise ProtocolError(f"expected a JSON object, got {type(answer).__name__}")
    return answer


def _first_error(answer: Json) -> tuple[int, str] | None:
    """(number, text) of `{"errors": [{"description": ..., "error_number": 2050, "error": ..., "source": ...}]}`."""
    errors = answer.get("errors") or []
    if not isinstance(errors, list):
        raise ProtocolError("errors: expected a list")
    for problem in errors:
        number = int(problem.get("error_number") or 0)
        words = [str(problem[key]) for key in ("error", "description") if problem.get(key)]
        return number, ": ".join(dict.fromkeys(words)) or "no reason given"
    return None


def _translated(status: int, problem: tuple[int, str] | None) -> SlurmError:
    number, text = problem or (0, f"HTTP {status}")
    if status == AUTHENTICATION_FAILED or number in AUTHENTICATION_CODES:
        return SlurmUnreachable(f"slurmrestd refused our token ({text}): is the agent's key this cluster's JWT key?")
    if number in COMMUNICATION_CODES or (problem is None and status >= 500):
        return SlurmUnreachable(f"Slurm does not answer: {text}")
    return SlurmRefused(text, code=number or None)
