"""The lab's MinIO as the portal's processes reach it: over TLS, with their keys."""

from __future__ import annotations

import os

import anyio
from pydantic import SecretStr

from lab.hosts import CA_FILE, STATE, address
from portal.settings import ObjectStore as S3Settings
from portal.settings import Settings
from portal.store.s3 import ObjectStore

S3_PORT = 9000
DAEMON = ("one-daemon", "s3_daemon")
WEB = ("one-web", "s3_web")


def store_as(who: tuple[str, str]) -> ObjectStore:
    """A client with one of the lab's keys, trusting the lab's own CA."""
    key, secret = who
    os.environ["SSL_CERT_FILE"] = str(CA_FILE)
    s3 = S3Settings(endpoint=f"{address('svc')}:{S3_PORT}", access_key=key)
    return ObjectStore(Settings(s3=s3, s3_secret_key=SecretStr((STATE / "secrets" / secret).read_text().strip())))


def keys(bucket: str, prefix: str) -> list[str]:
    """All keys below a prefix, without it."""
    found = anyio.run(store_as(DAEMON).list_keys, bucket, prefix)
    return [info.key.removeprefix(prefix) for info in found]


def content(bucket: str, key: str) -> bytes:
    """The bytes of one object."""
    found: bytes = anyio.run(store_as(DAEMON).get_bytes, bucket, key)
    return found
