"""New ids: short enough to say, random enough not to be guessed or to meet."""

from __future__ import annotations

import secrets

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_workload_id() -> str:
    """`W-` and six letters: about a thousand million of them."""
    return "W-" + "".join(secrets.choice(LETTERS) for _ in range(6))


def new_operator_id() -> str:
    """`OP-` and six letters."""
    return "OP-" + "".join(secrets.choice(LETTERS) for _ in range(6))


def new_nonce() -> str:
    """16 hex digits that tell one submission from every other."""
    return secrets.token_hex(8)
