"""A registry in memory that answers as the distribution specification says, and refuses what it does not know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER_BYTES = 1000


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


@dataclass
class FakeRegistry:
    """`token` set: every request under /v2/ needs it as a bearer token; `login` set: the token service wants it."""

    token: str | None = None
    login: str | None = None
    documents: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    requests: list[httpx2.Request] = field(default_factory=list)
    realm: str = "https://auth.registry.test/token"

    def put(self, path: str, document: Any, media_type: str = "application/json") -> str:
        """Store under `path` and under its digest beside it; returns the digest."""
        body = json.dumps(document).encode()
        digest = digest_of(body)
        self.documents[path] = (body, media_type)
        self.documents[f"{path.rsplit('/', 1)[0]}/{digest}"] = (body, media_type)
        return digest

    def image(self, repository: str, tag: str, config: dict[str, Any], architecture: str = "amd64") -> str:
        """An image of two layers; returns its manifest's digest."""
        image = {"os": "linux", "architecture": architecture, "config": config}
        config_digest = self.put(f"{repository}/blobs/new", image)
        layers = [{"digest": "sha256:" + c * 64, "size": LAYER_BYTES} for c in "ab"]
        manifest = {"mediaType": OCI_MANIFEST, "config": {"digest": config_digest, "size": 1}, "layers": layers}
        return self.put(f"{repository}/manifests/{tag}", manifest, OCI_MANIFEST)

    def index(self, repository: str, tag: str, images: Iterable[tuple[str, str]]) -> str:
        """An index over (architecture, digest) pairs; returns its digest."""
        entries = [{"digest": digest, "platform": {"os": "linux", "architecture": a}} for a, digest in images]
        return self.put(f"{repository}/manifests/{tag}", {"mediaType": OCI_INDEX, "manifests": entries}, OCI_INDEX)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.url.path == "/token":
            return self._token(request)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            header = f'Bearer realm="{self.realm}",service="registry.test"'
            return httpx2.Response(401, headers={"www-authenticate": header})
        path = request.url.path.removeprefix("/v2/")
        if "/manifests/" in path:
            assert OCI_INDEX in request.headers["accept"]
            assert OCI_MANIFEST in request.headers["accept"]
        if path not in self.documents:
            return httpx2.Response(404, json={"errors": [{"code": "MANIFEST_UNKNOWN"}]})
        body, media_type = self.documents[path]
        return httpx2.Response(200, content=body, headers={"content-type": media_type})

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        if self.login and request.headers.get("authorization") != self.login:
            return httpx2.Response(401)
        assert request.url.params["service"] == "registry.test"
        assert request.url.params["scope"].startswith("repository:")
        return httpx2.Response(200, json={"token": self.token})

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.handle)
