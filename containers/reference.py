"""Docker image references: what was typed becomes registry, repository, tag and digest, or is refused with why."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from docker_image import digest as grammar_digest
from docker_image import reference as grammar

from containers.errors import InvalidReference, RegistryNotAllowed

DEFAULT_TAG = "latest"
MAX_LENGTH = 512
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PRINTABLE = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """`registry/repository:tag@digest`; at least one of `tag` and `digest` is set.

    `registry` is `host` or `host:port`; `digest` is `sha256:` and 64 hex digits.
    """

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """`registry/repository`, as the spec's `image.registry` has it."""
        return f"{self.registry}/{self.repository}"

    def pinned(self, digest: str) -> Reference:
        """The same image at exactly this digest. Raises InvalidReference for anything but a sha256 digest."""
        return replace(self, digest=check_digest(digest))

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def parse(text: str) -> Reference:
    """Read `registry.avatar.io/env-sim:1.0` or `.../env-sim@sha256:...`; a missing tag is `latest`.

    The registry is never guessed: `ubuntu` is refused, `docker.io/library/ubuntu` is not.
    Raises InvalidReference. Source: https://github.com/distribution/reference (the grammar, by docker-image-py 0.2).
    """
    if not text:
        raise InvalidReference(text, "it is empty")
    if len(text) > MAX_LENGTH:
        raise InvalidReference(text, f"it is longer than {MAX_LENGTH} characters")
    if not _PRINTABLE.fullmatch(text):  # the grammar's `$` would let a final newline pass
        raise InvalidReference(text, "it has a space, a control character or a character outside ASCII")
    try:
        parsed = grammar.Reference.parse(text)
    except (grammar.InvalidReference, grammar_digest.InvalidDigest) as exc:
        raise InvalidReference(text, str(exc) or "the format is registry/repository:tag") from exc
    registry, repository = parsed.repository["domain"] or "", parsed.repository["path"]
    if not _is_host(registry):
        raise InvalidReference(
            text, "it names no registry; write registry/repository, for example docker.io/library/debian"
        )
    digest = check_digest(parsed["digest"]) if parsed["digest"] else None
    tag = parsed["tag"] or (None if digest else DEFAULT_TAG)
    return Reference(registry, repository, tag, digest)


def from_spec(registry: str, tag: str) -> Reference:
    """The reference of a spec's `image: {registry, tag}`; the two fields cannot leak into each other.

    Raises InvalidReference, also when `registry` already carries a tag or a digest.
    """
    reference = parse(f"{registry}:{tag}")
    if reference.name != registry or reference.tag != tag:
        raise InvalidReference(f"{registry}:{tag}", "write the tag in `tag` only, and no digest")
    return reference


def check_digest(text: str) -> str:
    """`text` if it is a sha256 digest in lower case. Raises InvalidReference."""
    if not _DIGEST.fullmatch(text):
        raise InvalidReference(text, "a digest is sha256: and 64 lower-case hex digits")
    return text


def check_allowed(reference: Reference, registries: Iterable[str]) -> None:
    """Raise RegistryNotAllowed unless the site lists the reference's registry (`host` or `host:port`, exactly)."""
    allowed = tuple(registries)
    if reference.registry.lower() not in {name.lower() for name in allowed}:
        raise RegistryNotAllowed(reference.registry, allowed)


def _is_host(name: str) -> bool:
    """Docker's own rule for telling a host from the first part of a repository."""
    return name == "localhost" or "." in name or ":" in name
