"""Tokens that Slurm gives the user: asked before the last one ends, kept while Slurm is away, shown to nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from slurm.agent.owntokens import OwnTokens
from slurm.errors import NotPermitted, ProtocolError, SlurmUnreachable

Say = Callable[[str], None]


class Clock:
    """Seconds that the test turns."""

    now = 500.0

    def __call__(self) -> float:
        return self.now


def token(number: int, *, life_s: int = 3600) -> str:
    claims = {"sun": "kim", "iat": 9_000_000, "exp": 9_000_000 + life_s, "jti": str(number)}
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def says(tmp_path: Path) -> Say:
    def install(script: str) -> None:
        (tmp_path / "scontrol").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "scontrol").chmod(0o755)

    return install


@pytest.fixture
def tokens(tmp_path: Path, clock: Clock) -> OwnTokens:
    return OwnTokens("kim", tmp_path / "scontrol", {"PATH": "/usr/bin:/bin", "SLURM_JWT": "old"}, clock=clock)


def test_one_is_kept_and_renewed_a_quarter_of_an_hour_before_its_end(
    tokens: OwnTokens, says: Say, clock: Clock
) -> None:
    says(f'test -z "$SLURM_JWT" && echo SLURM_JWT={token(1)}')
    assert tokens.token("kim") == token(1)
    says(f"echo SLURM_JWT={token(2)}")
    clock.now += 3600 - 901
    assert tokens.token("kim") == token(1)
    clock.now += 2
    assert tokens.token("kim") == token(2)


def test_a_site_may_give_shorter_ones(tokens: OwnTokens, says: Say, clock: Clock) -> None:
    says(f"echo SLURM_JWT={token(1, life_s=100)}")
    assert tokens.token("kim") == token(1, life_s=100)
    says(f"echo SLURM_JWT={token(2)}")
    clock.now += 51
    assert tokens.token("kim") == token(2)


def test_the_old_one_serves_while_slurm_is_away_and_no_longer_than_it_is_good(
    tokens: OwnTokens, says: Say, clock: Clock
) -> None:
    says(f"echo SLURM_JWT={token(1)}")
    tokens.token("kim")
    says("echo 'Unable to contact slurm controller' >&2; exit 1")
    clock.now += 3599
    assert tokens.token("kim") == token(1)
    clock.now += 2
    with pytest.raises(SlurmUnreachable, match="Unable to contact slurm controller"):
        tokens.token("kim")


def test_nobody_elses(tokens: OwnTokens) -> None:
    with pytest.raises(NotPermitted, match="acts as kim only, not as root"):
        tokens.token("root")


@pytest.mark.parametrize("script", ["echo SLURM_JWT=abc", "echo SLURM_JWT=a.b.c"])
def test_junk_is_no_token_and_is_not_shown(tokens: OwnTokens, says: Say, script: str) -> None:
    says(script)
    with pytest.raises(ProtocolError) as caught:
        tokens.token("kim")
    assert "abc" not in str(caught.value)


def test_no_scontrol(tokens: OwnTokens) -> None:
    with pytest.raises(SlurmUnreachable, match="cannot be started"):
        tokens.token("kim")


def test_a_token_is_not_in_what_describes_the_object(tokens: OwnTokens, says: Say) -> None:
    says(f"echo SLURM_JWT={token(1)}")
    assert tokens.token("kim") not in repr(tokens)
