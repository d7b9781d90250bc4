"""Tags become digests; what is missing, private, foreign or broken is told apart."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import certifi
import httpx2
import pytest

from containers.credentials import challenge, find_login
from containers.errors import (
    ContainersError,
    ImageNotFound,
    RegistryNotAllowed,
    RegistryUnauthorized,
    RegistryUnreachable,
    UnusableImage,
)
from containers.image import ImageConfig, ResolvedImage
from containers.reference import parse
from containers.registry import MAX_DOCUMENT_BYTES, RegistryAccess, _certificates, resolve

from .fakeregistry import LAYER_BYTES, FakeRegistry

ACCESS = RegistryAccess(allowed=("registry.test",))
CONFIG = {"Entrypoint": ["python3"], "Cmd": ["main.py"], "WorkingDir": "/app", "Env": ["PATH=/bin"]}
IMAGE = "registry.test/one/env-sim:1.0"


async def look(registry: FakeRegistry, text: str = IMAGE, access: RegistryAccess = ACCESS) -> ResolvedImage:
    return await resolve(parse(text), access, transport=registry.transport)


async def test_a_tag_becomes_digest_config_and_size() -> None:
    registry = FakeRegistry()
    digest = registry.image("one/env-sim", "1.0", CONFIG)
    image = await look(registry)
    assert str(image.reference) == f"{IMAGE}@{digest}"
    assert image.digest == digest
    assert image.config == ImageConfig(("python3",), ("main.py",), "/app", ("PATH=/bin",))
    assert (image.architecture, image.size) == ("amd64", 2 * LAYER_BYTES)


async def test_a_digest_is_looked_up_whatever_the_tag_says_now() -> None:
    registry = FakeRegistry()
    old = registry.image("one/env-sim", "1.0", CONFIG)
    new = registry.image("one/env-sim", "1.0", CONFIG | {"Cmd": ["new.py"]})
    assert old != new
    assert (await look(registry, f"{IMAGE}@{old}")).config.cmd == ("main.py",)
    assert (await look(registry)).config.cmd == ("new.py",)


async def test_an_index_gives_its_amd64_image() -> None:
    registry = FakeRegistry()
    arm = registry.image("one/env-sim", "arm", CONFIG, architecture="arm64")
    amd = registry.image("one/env-sim", "amd", CONFIG)
    registry.index("one/env-sim", "1.0", [("arm64", arm), ("unknown", arm), ("amd64", amd)])
    assert (await look(registry)).digest == amd
    registry.index("one/env-sim", "1.0", [("arm64", arm)])
    with pytest.raises(UnusableImage, match="only linux/arm64"):
        await look(registry)


async def test_another_architecture_is_refused() -> None:
    registry = FakeRegistry()
    registry.image("one/env-sim", "1.0", CONFIG, architecture="arm64")
    with pytest.raises(UnusableImage, match="linux/arm64"):
        await look(registry)


async def test_missing_image_and_foreign_registry() -> None:
    registry = FakeRegistry()
    with pytest.raises(ImageNotFound, match=r"registry.test/one/env-sim:1.0"):
        await look(registry)
    with pytest.raises(RegistryNotAllowed):
        await look(registry, "evil.test/one/env-sim:1.0")
    assert [request.url.host for request in registry.requests] == ["registry.test"]


async def test_bearer_token_with_the_sites_login(tmp_path: Path) -> None:
    login = base64.b64encode(b"robot:s3cret:with:colons").decode()
    file = tmp_path / "registry.json"
    file.write_text(json.dumps({"auths": {"registry.test": {"auth": login}}}))
    registry = FakeRegistry(token="t0ken", login=f"Basic {login}")
    digest = registry.image("one/env-sim", "1.0", CONFIG)
    access = RegistryAccess(allowed=("registry.test",), credentials=file)
    assert (await look(registry, access=access)).digest == digest
    with pytest.raises(RegistryUnauthorized) as caught:
        await look(registry)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(find_login(file, "registry.test"))


async def test_the_login_never_goes_to_a_plain_http_token_service(tmp_path: Path) -> None:
    file = tmp_path / "registry.json"
    file.write_text(json.dumps({"auths": {"registry.test": {"auth": base64.b64encode(b"a:b").decode()}}}))
    registry = FakeRegistry(token="t", realm="http://auth.registry.test/token")
    with pytest.raises(RegistryUnauthorized, match="not https"):
        await look(registry, access=RegistryAccess(allowed=("registry.test",), credentials=file))
    assert [request.url.path for request in registry.requests] == ["/v2/one/env-sim/manifests/1.0"]


@pytest.mark.parametrize(
    "failure",
    [
        httpx2.ConnectError("refused"),
        httpx2.ConnectTimeout(""),
        httpx2.ReadTimeout(""),
        httpx2.RemoteProtocolError("x"),
    ],
)
async def test_no_answer_is_unreachable_not_missing(failure: Exception) -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise failure

    with pytest.raises(RegistryUnreachable):
        await resolve(parse(IMAGE), ACCESS, transport=httpx2.MockTransport(fail))


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx2.Response(500), RegistryUnreachable),
        (httpx2.Response(429), RegistryUnreachable),
        (httpx2.Response(403), RegistryUnauthorized),
        (httpx2.Response(401), RegistryUnauthorized),
        (httpx2.Response(200, content=b"<html>"), RegistryUnreachable),
        (httpx2.Response(200, content=b"[]"), RegistryUnreachable),
        (httpx2.Response(200, content=b"x" * (MAX_DOCUMENT_BYTES + 1)), RegistryUnreachable),
        (httpx2.Response(200, content=b'{"config": {"digest": "../../etc/passwd"}, "layers": []}'), ContainersError),
        (httpx2.Response(200, content=b'{"schemaVersion": 1}'), UnusableImage),
        (httpx2.Response(200, content=b'{"config": 7, "layers": 7}'), UnusableImage),
        (httpx2.Response(200, content=b'{"manifests": 7}'), UnusableImage),
        (httpx2.Response(200, content=b'{"manifests": [7, {}, {"platform": 7}]}'), UnusableImage),
        (httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://a:x/t"'}), RegistryUnreachable),
        (httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://a/t"'}), RegistryUnauthorized),
        (httpx2.Response(401, headers={"www-authenticate": "Negotiate x"}), RegistryUnauthorized),
    ],
)
async def test_broken_answers(response: httpx2.Response, error: type[ContainersError]) -> None:
    with pytest.raises(error):
        await resolve(parse(IMAGE), ACCESS, transport=httpx2.MockTransport(lambda request: response))


async def test_a_token_that_is_not_json_is_no_token() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/token":
            return httpx2.Response(200, content=b"<html>")
        return httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://auth.test/token"'})

    with pytest.raises(RegistryUnauthorized):
        await resolve(parse(IMAGE), ACCESS, transport=httpx2.MockTransport(handle))


async def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.crt").write_text("no certificate")
    for name in ("missing.crt", "broken.crt"):
        access = RegistryAccess(allowed=("registry.test",), ca_file=tmp_path / name)
        with pytest.raises(RegistryUnreachable, match=name):
            await look(FakeRegistry(), access=access)


async def test_the_site_s_certificates_are_read_again_only_when_they_change(tmp_path: Path) -> None:
    site = tmp_path / "site.crt"
    site.write_bytes(Path(certifi.where()).read_bytes())
    access = RegistryAccess(allowed=("registry.test",), ca_file=site)
    registry = FakeRegistry()
    registry.image("one/env-sim", "1.0", CONFIG)
    read = _certificates.cache_info().misses
    for _ in range(3):
        await look(registry, access=access)
    assert _certificates.cache_info().misses == read + 1
    site.write_text("no certificate")
    os.utime(site, ns=(1, 1))
    with pytest.raises(RegistryUnreachable, match=r"site\.crt"):
        await look(registry, access=access)


async def test_other_bytes_than_the_digest_are_refused() -> None:
    registry = FakeRegistry()
    digest = registry.image("one/env-sim", "1.0", CONFIG)
    path = f"one/env-sim/manifests/{digest}"
    registry.documents[path] = (registry.documents[path][0] + b" ", "application/json")
    with pytest.raises(RegistryUnreachable, match="other bytes"):
        await look(registry, f"{IMAGE}@{digest}")


async def test_plain_http_only_where_the_site_says_so() -> None:
    registry = FakeRegistry()
    registry.image("one/env-sim", "1.0", CONFIG)
    await look(registry)
    await look(registry, access=RegistryAccess(allowed=("registry.test",), insecure=("registry.test",)))
    assert [request.url.scheme for request in registry.requests] == ["https", "https", "http", "http"]


async def test_docker_hub_is_asked_at_its_own_address() -> None:
    registry = FakeRegistry()
    with pytest.raises(ImageNotFound):
        await look(registry, "docker.io/library/debian", RegistryAccess(allowed=("docker.io",)))
    assert registry.requests[0].url.host == "registry-1.docker.io"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"auths": {"registry.test": {"auth": "%%%"}}}', '{"auths": {"registry.test": 1}}']
)
def test_a_broken_login_file_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "registry.json"
    file.write_text(content)
    with pytest.raises(ContainersError) as caught:
        find_login(file, "registry.test")
    assert str(file) in str(caught.value)
    assert "%%%" not in str(caught.value)


def test_logins_of_other_registries_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "registry.json"
    auths: dict[str, Any] = {"https://index.docker.io/v1/": {"auth": base64.b64encode(b"hub:pw").decode()}}
    file.write_text(json.dumps({"auths": auths}))
    assert find_login(file, "registry.test") is None
    found = find_login(file, "docker.io")
    assert found is not None
    assert found.user == "hub"
    assert find_login(None, "docker.io") is None


def test_challenges() -> None:
    read = challenge('Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"')
    assert read is not None
    assert (read.scheme, read.realm, read.service) == ("bearer", "https://a/t", "s")
    assert challenge('Basic realm="x"') is not None
    assert challenge("Negotiate") is None
    assert challenge("") is None
