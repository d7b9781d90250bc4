"""Every error of the package, one base: what failed is data (reference, registry, code), never only prose.

ContainersError
├── InvalidReference       not a reference that can be run; `text` is what was typed, `reason` what is wrong with it
├── RegistryNotAllowed     the site's settings do not list this registry
├── RegistryError          the registry answered, or did not, and there is no digest
│   ├── ImageNotFound      no such repository, tag or digest
│   ├── RegistryUnreachable  no answer, no valid certificate, or an answer of its own trouble (5xx): nothing is known
│   └── RegistryUnauthorized   the registry wants other credentials
├── UnusableImage          the image exists and cannot run here (other architecture, no command, malformed config)
├── InvalidMount           a path that cannot be mounted into a container
└── ConversionFailed       no SIF; `code` is the convert protocol's error word

`code` of every class is the word used in the convert protocol and in image states (docs/containers.md).
"""

from __future__ import annotations

from typing import ClassVar


class ContainersError(Exception):
    """Base of all errors of this package."""

    code: ClassVar[str] = "failed"


class InvalidReference(ContainersError):
    """What was typed is not an image reference that can be run."""

    code = "refused"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{shown(text)} is not an image reference: {reason}")
        self.text = text
        self.reason = reason


class RegistryNotAllowed(ContainersError):
    """The site does not take images from this registry."""

    code = "not_allowed"

    def __init__(self, registry: str, allowed: tuple[str, ...]) -> None:
        listed = ", ".join(allowed) or "none"
        super().__init__(f"images from {registry} are not allowed here; allowed registries: {listed}")
        self.registry = registry
        self.allowed = allowed


class RegistryError(ContainersError):
    """No digest could be had for `reference`."""

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(f"{reference}: {reason}")
        self.reference = reference
        self.reason = reason


class ImageNotFound(RegistryError):
    """The registry has no such repository, tag or digest."""

    code = "not_found"


class RegistryUnreachable(RegistryError):
    """The registry did not answer in time, or not as a registry: whether the image exists is unknown."""

    code = "unreachable"


class RegistryUnauthorized(RegistryError):
    """The registry refused the site's credentials, or wants some."""

    code = "unauthorized"


class UnusableImage(ContainersError):
    """The image exists and cannot be run on this cluster."""

    code = "refused"


class InvalidMount(ContainersError):
    """A path that cannot be mounted."""

    code = "refused"


class ConversionFailed(ContainersError):
    """No SIF was made. `error` is one of the convert protocol's words."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def shown(text: str, limit: int = 120) -> str:
    """`text` as it may stand in a message: quoted, control characters escaped, at most `limit` characters of it."""
    clipped = text if len(text) <= limit else text[:limit] + "..."
    return repr(clipped)
