"""Addresses that come from outside and must stay on this site."""

from __future__ import annotations

import re

_OWN_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")


def own_path(text: str, otherwise: str = "/") -> str:
    """A path of this site, never an address elsewhere: `next` and `back` come from outside."""
    return text if len(text) <= 2000 and _OWN_PATH.fullmatch(text) else otherwise
