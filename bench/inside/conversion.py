"""python conversion.py MIB: an image of that size, converted by plain `apptainer build` and by the portal's converter.

Plain, ours, ours again, plain: one JSON line of seconds. Everything that it makes is removed, in the registry all but the tag.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from containers.build import build_argv, build_environment
from containers.reference import parse
from containers.registry import RegistryAccess
from portal.settings import load_settings

FOLDER = Path("/shared/bench/large")
NAME = "registry.avatar.io/bench/large"
USER = "one-convert"
SOURCES = ("/usr/lib", "/usr/share", "/usr/bin", "/opt/one")
KIND = "application/vnd.oci.image"


def main() -> None:
    """Make, convert in turns, clean up."""
    settings = load_settings()
    access = RegistryAccess(
        allowed=settings.images.registries,
        insecure=settings.images.insecure_registries,
        ca_file=settings.images.ca_file,
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    size, digest = make(int(sys.argv[1]) * 1024 * 1024)
    try:
        found: dict[str, Any] = {"bytes": size, "plain": [plain(digest, access, settings.storage.images)]}
        found["first"], found["again"] = ours(digest), ours(digest)
        ask({"remove": digest})
        found["plain"].append(plain(digest, access, settings.storage.images))
        found["alike"] = plain(digest, access, settings.storage.images, alike=True)
    finally:
        shutil.rmtree(FOLDER)
    print(json.dumps(found))


def make(wanted: int) -> tuple[int, str]:
    """An image of one layer of this machine's own programs; its bytes unpacked and its digest in the registry."""
    blobs = FOLDER / "blobs/sha256"
    blobs.mkdir(parents=True)
    layer, size = FOLDER / "layer.tar", 0
    with tarfile.open(layer, "w") as tar:
        for source in SOURCES:
            for path in sorted(Path(source).rglob("*")):
                if size < wanted and path.is_file() and not path.is_symlink():
                    tar.add(path, arcname=str(path).lstrip("/"), recursive=False)
                    size += path.stat().st_size
    plain_digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    packed = gzip.compress(layer.read_bytes(), compresslevel=1, mtime=0)
    layer.unlink()

    def store(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    rootfs = {"type": "layers", "diff_ids": [f"sha256:{plain_digest}"]}
    config = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/usr/bin/true"]}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{KIND}.manifest.v1+json",
        "config": {"mediaType": f"{KIND}.config.v1+json", **store(json.dumps(config).encode())},
        "layers": [{"mediaType": f"{KIND}.layer.v1.tar+gzip", **store(packed)}],
    }
    entry = store(json.dumps(manifest).encode())
    named = {"annotations": {"org.opencontainers.image.ref.name": "1"}}
    index = {"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"], **entry, **named}]}
    (FOLDER / "index.json").write_text(json.dumps(index))
    (FOLDER / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--preserve-digests", f"oci:{FOLDER}:1", f"docker://{NAME}:1"], check=True
    )
    return size, str(entry["digest"])


def plain(digest: str, access: RegistryAccess, images: Path, *, alike: bool = False) -> float:
    """Seconds of `apptainer build` alone, as the converter's own Unix user and beside its images.

    With its own defaults (gzip), or `alike`: with the words that the converter uses (zstd).
    """
    work = images / "bench-plain"
    shutil.rmtree(work, ignore_errors=True)
    who = pwd.getpwnam(USER)
    work.mkdir()
    os.chown(work, who.pw_uid, who.pw_gid)
    sif = work / "image.sif"
    words = build_argv(parse(f"{NAME}@{digest}"), sif, access)
    began = time.perf_counter()
    try:
        subprocess.run(
            words if alike else ["apptainer", "build", "--disable-cache", str(sif), f"docker://{NAME}@{digest}"],
            env=build_environment(work, access),
            cwd=work,
            user=who.pw_uid,
            group=who.pw_gid,
            extra_groups=[],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - began
    finally:
        shutil.rmtree(work)


def ours(digest: str) -> float:
    """Seconds of the conversion service, from the request to its answer."""
    began = time.perf_counter()
    answer = ask({"reference": NAME, "digest": digest})
    if not answer["ok"]:
        raise SystemExit(f"not converted: {answer}")
    return time.perf_counter() - began


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """The last line of the conversion service's answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/run/one-convert.sock")
        client.sendall(json.dumps(request).encode() + b"\n")
        client.shutdown(socket.SHUT_WR)
        lines = client.makefile("rb").read().splitlines()
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


if __name__ == "__main__":
    main()
