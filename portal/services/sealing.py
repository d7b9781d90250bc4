"""Seals a text with a browser's cookie, of which the portal keeps only the hash: the database alone opens nothing."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_PURPOSE = b"one: what a browser session keeps"


def seal(cookie: str, text: str) -> str:
    """The text so that only the holder of this cookie, or who is sent it, reads it."""
    return _box(cookie).encrypt(text.encode()).decode()


def unseal(cookie: str, sealed: str) -> str | None:
    """The text; None when another cookie sealed it or it was changed since."""
    try:
        return _box(cookie).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def _box(cookie: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(cookie.encode())
    return Fernet(urlsafe_b64encode(key))
