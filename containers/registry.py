"""What a registry knows about a reference: the digest of its linux/amd64 manifest, its config and its size."""

from __future__ import annotations

import functools
import hashlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from containers.credentials import Login, challenge, find_login
from containers.errors import ImageNotFound, RegistryUnauthorized, RegistryUnreachable, UnusableImage
from containers.image import ImageConfig, ResolvedImage
from containers.reference import Reference, check_allowed, check_digest

OS, ARCHITECTURE = "linux", "amd64"
# Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md and Docker's schema 2 names for the same
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024  # what registries must accept for a manifest; configs are smaller
DOCKER_HUB = {"docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How this site reaches registries.

    `allowed` and `insecure` (plain HTTP) list hosts; `ca_file` adds certificates to the system's; `credentials` is a
    Docker `config.json`; `timeout_s` bounds every wait for the network.
    """

    allowed: tuple[str, ...]
    insecure: tuple[str, ...] = ()
    ca_file: Path | None = None
    credentials: Path | None = None
    timeout_s: float = 20.0


async def resolve(
    reference: Reference, access: RegistryAccess, *, transport: httpx2.AsyncBaseTransport | None = None
) -> ResolvedImage:
    """Pin `reference` to the digest that its tag has now, or check the digest that it already carries.

    Raises RegistryNotAllowed, ImageNotFound, RegistryUnreachable, RegistryUnauthorized, UnusableImage.
    Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
    """
    check_allowed(reference, access.allowed)
    verify = _trust(reference, access.ca_file)
    async with httpx2.AsyncClient(
        timeout=access.timeout_s, verify=verify, transport=transport, follow_redirects=True
    ) as http:
        session = _Session(http, reference, access)
        manifest, digest = await session.manifest(reference.digest or reference.tag or "latest")
        if _is_index(manifest):
            manifest, digest = await session.manifest(_pick(reference, manifest))
        return await _describe(session, reference.pinned(digest), manifest)


def _trust(reference: Reference, ca_file: Path | None) -> ssl.SSLContext:
    """The system's certificates and the site's own. Raises RegistryUnreachable when these cannot be read."""
    try:
        return _certificates(ca_file, ca_file.stat().st_mtime_ns if ca_file else 0)
    except OSError as exc:
        raise RegistryUnreachable(str(reference), f"the certificates in {ca_file} cannot be read: {exc}") from exc


@functools.lru_cache(maxsize=4)
def _certificates(ca_file: Path | None, _changed: int) -> ssl.SSLContext:
    """Read once: 150 certificates take longer than asking the registry. The site's own are read again when they change."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def _describe(session: _Session, reference: Reference, manifest: Mapping[str, Any]) -> ResolvedImage:
    try:
        config_digest = check_digest(manifest["config"]["digest"])
        size = sum(max(0, int(layer["size"])) for layer in manifest["layers"])
    except (KeyError, TypeError, ValueError) as exc:
        raise UnusableImage(f"{reference}: the manifest names no config and layers; is it an image?") from exc
    image = await session.document(f"blobs/{config_digest}", config_digest)
    system, architecture = image.get("os"), image.get("architecture")
    if (system, architecture) != (OS, ARCHITECTURE):
        raise UnusableImage(f"{reference} is made for {system}/{architecture}; this cluster runs {OS}/{ARCHITECTURE}")
    config = image.get("config") or {}
    if not isinstance(config, dict):
        raise UnusableImage(f"{reference}: the image's config is not an object")
    return ResolvedImage(reference, ImageConfig.from_json(config), ARCHITECTURE, size)


class _Session:
    """Requests about one repository, with the token its registry asks for."""

    def __init__(self, http: httpx2.AsyncClient, reference: Reference, access: RegistryAccess) -> None:
        self._http = http
        self._reference = reference
        self._scheme = "http" if reference.registry in access.insecure else "https"
        host = DOCKER_HUB.get(reference.registry, reference.registry)
        self._base = f"{self._scheme}://{host}/v2/{reference.repository}"
        self._login = find_login(access.credentials, reference.registry)
        self._authorization: str | None = None

    async def manifest(self, tag_or_digest: str) -> tuple[dict[str, Any], str]:
        """The manifest or index, and the digest of exactly these bytes."""
        expected = tag_or_digest if ":" in tag_or_digest else None
        body = await self._get(f"manifests/{tag_or_digest}", ", ".join((*MANIFEST_TYPES, *INDEX_TYPES)))
        return self._checked(body, expected), _digest(body)

    async def document(self, path: str, digest: str) -> dict[str, Any]:
        """A JSON blob whose bytes have this digest."""
        return self._checked(await self._get(path, "*/*"), digest)

    def _checked(self, body: bytes, digest: str | None) -> dict[str, Any]:
        if digest is not None and _digest(body) != digest:
            raise RegistryUnreachable(str(self._reference), f"the registry sent other bytes than {digest}")
        try:
            document = json.loads(body)
        except ValueError as exc:
            raise RegistryUnreachable(str(self._reference), "the registry's answer is not JSON") from exc
        if not isinstance(document, dict):
            raise RegistryUnreachable(str(self._reference), "the registry's answer is not a JSON object")
        return document

    async def _get(self, path: str, accept: str) -> bytes:
        url = f"{self._base}/{path}"
        try:
            response = await self._request(url, accept)
            if response.status_code == httpx2.codes.UNAUTHORIZED and self._authorization is None:
                self._authorization = await self._authorize(response.headers.get("www-authenticate", ""))
                response = await self._request(url, accept)
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            reason = str(exc) or type(exc).__name__
            raise RegistryUnreachable(
                str(self._reference), f"no answer from {self._reference.registry}: {reason}"
            ) from exc
        self._raise_for_status(response)
        return response.content

    async def _request(self, url: str, accept: str) -> httpx2.Response:
        """GET with a bound on the body. Raises httpx2.HTTPError."""
        headers = {"accept": accept} | ({"authorization": self._authorization} if self._authorization else {})
        async with self._http.stream("GET", url, headers=headers) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise httpx2.ReadError(f"the answer is larger than {MAX_DOCUMENT_BYTES} bytes")
        return httpx2.Response(response.status_code, headers={**_plain(response.headers)}, content=bytes(body))

    async def _authorize(self, header: str) -> str | None:
        """The Authorization header that answers a 401, or None when nothing could. Raises httpx2.HTTPError."""
        asked = challenge(header)
        if asked is None or (asked.scheme == "basic" and self._login is None):
            return None
        if asked.scheme == "basic":
            return self._login.basic() if self._login else None
        if self._scheme == "https" and not asked.realm.startswith("https://"):
            raise RegistryUnauthorized(str(self._reference), "the registry's token address is not https")
        return await self._token(asked.realm, asked.service, self._login)

    async def _token(self, realm: str, service: str, login: Login | None) -> str | None:
        params = {"service": service, "scope": f"repository:{self._reference.repository}:pull"}
        headers = {"authorization": login.basic()} if login else {}
        response = await self._http.get(realm, params=params, headers=headers, follow_redirects=False)
        if not response.is_success:
            return None
        try:
            token = response.json()
        except ValueError:
            return None  # asked again without a token, the registry says 401, and that is what the user reads
        value = token.get("token") or token.get("access_token") if isinstance(token, dict) else None
        return f"Bearer {value}" if isinstance(value, str) else None

    def _raise_for_status(self, response: httpx2.Response) -> None:
        if response.is_success:
            return
        name, status = str(self._reference), response.status_code
        if status == httpx2.codes.NOT_FOUND:
            raise ImageNotFound(name, "no such image in the registry; check address and tag")
        if status in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            raise RegistryUnauthorized(name, f"the registry refuses access (HTTP {status}): private, or missing")
        raise RegistryUnreachable(name, f"{self._reference.registry} answered HTTP {status}")


def _is_index(manifest: Mapping[str, Any]) -> bool:
    return manifest.get("mediaType") in INDEX_TYPES or "manifests" in manifest


def _pick(reference: Reference, index: Mapping[str, Any]) -> str:
    """The digest of the linux/amd64 manifest of an index."""
    entries = index.get("manifests")
    platforms = []
    for entry in entries if isinstance(entries, list) else []:
        platform = entry.get("platform") if isinstance(entry, dict) else None
        found = (platform.get("os"), platform.get("architecture")) if isinstance(platform, dict) else ("unknown",) * 2
        if found == (OS, ARCHITECTURE):
            return check_digest(str(entry.get("digest")))
        platforms.append(f"{found[0]}/{found[1]}")
    raise UnusableImage(f"{reference} has no {OS}/{ARCHITECTURE} image, only {', '.join(platforms) or 'nothing'}")


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _plain(headers: httpx2.Headers) -> dict[str, str]:
    """Headers that still hold for the decoded body."""
    return {name: value for name, value in headers.items() if name in ("www-authenticate", "content-type")}
