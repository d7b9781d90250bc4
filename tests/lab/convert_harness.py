"""Images made by hand, pushed into the lab's registry; requests to the installed conversion unit; runs as a researcher."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containers.image import ImageConfig
from containers.runtime import exec_argv

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "lab-convert"
SHARED = ROOT / ".lab/shared" / FOLDER  # /shared/lab-convert on every node
REGISTRY = "registry.avatar.io"
SOCKET = "/run/one-convert.sock"
RESEARCHER = ("kim", "2001")
PATIENCE_S = 180.0
# Sends its standard input as the request and copies the answer: what any client of the socket could do.
CLIENT = """
import shutil, socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(170)
client.connect(sys.argv[1])
client.sendall(sys.stdin.buffer.read())
client.shutdown(socket.SHUT_WR)
shutil.copyfileobj(client.makefile("rb"), sys.stdout.buffer)
"""


def on(node: str, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run words as root on a host of the lab; they arrive as they are."""
    argv = [str(ROOT / "lab/lab"), "exec", node, "--", *command]
    return subprocess.run(argv, input=stdin, capture_output=True, timeout=PATIENCE_S, check=False)


def on_ok(node: str, *command: str, stdin: bytes = b"") -> bytes:
    done = on(node, *command, stdin=stdin)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@dataclass(frozen=True)
class Pushed:
    """An image of the lab's registry."""

    name: str
    digest: str
    config: ImageConfig


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A folder on the shared file system, and nothing left of what was converted from it."""
    shutil.rmtree(SHARED, ignore_errors=True)  # of a run that was killed
    SHARED.mkdir(mode=0o755)
    made = Workshop()
    try:
        yield made
    finally:
        for pushed in made.pushed:
            ask_raw(json.dumps({"remove": pushed.digest}).encode() + b"\n")
        shutil.rmtree(SHARED)


class Workshop:
    """Writes OCI layouts. Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md"""

    def __init__(self) -> None:
        self.pushed: list[Pushed] = []

    def push(self, name: str, layer: bytes, config: Mapping[str, Any]) -> Pushed:
        """An image of one layer (a tar), in the registry."""
        digest = self.push_raw(name, layer, config)
        pushed = Pushed(f"{REGISTRY}/lab-convert/{name}", digest, ImageConfig.from_json(config))
        self.pushed.append(pushed)
        return pushed

    def push_raw(self, name: str, layer: bytes, config: Mapping[str, Any]) -> str:
        """The same for a config that nobody can use; the digest."""
        layout = SHARED / name
        blobs = layout / "blobs/sha256"
        blobs.mkdir(parents=True)

        def store(content: bytes) -> dict[str, Any]:
            digest = hashlib.sha256(content).hexdigest()
            (blobs / digest).write_bytes(content)
            return {"digest": f"sha256:{digest}", "size": len(content)}

        kind = "application/vnd.oci.image"
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
        image = {"architecture": "amd64", "os": "linux", "config": dict(config), "rootfs": rootfs}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": {"mediaType": f"{kind}.config.v1+json", **store(json.dumps(image).encode())},
            "layers": [{"mediaType": f"{kind}.layer.v1.tar+gzip", **store(gzip.compress(layer, mtime=0))}],
        }
        entry = store(json.dumps(manifest).encode())
        named = {"annotations": {"org.opencontainers.image.ref.name": "1"}}
        index = {"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"], **entry, **named}]}
        (layout / "index.json").write_text(json.dumps(index))
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        source, target = f"oci:/shared/{FOLDER}/{name}:1", f"docker://{REGISTRY}/lab-convert/{name}:1"
        on_ok("svc", "skopeo", "copy", "--quiet", "--preserve-digests", source, target)
        return str(entry["digest"])


def request(reference: str, digest: str) -> bytes:
    """A line of the protocol."""
    return json.dumps({"reference": reference, "digest": digest}).encode() + b"\n"


def ask(image: Pushed) -> list[dict[str, Any]]:
    """Ask the unit for an image: its progress and its answer."""
    return ask_raw(request(image.name, image.digest))


def ask_raw(line: bytes) -> list[dict[str, Any]]:
    """Send these bytes; the lines that come back."""
    out = on_ok("svc", "/usr/bin/python3", "-c", CLIENT, SOCKET, stdin=line)
    return [json.loads(answer) for answer in out.splitlines()]


def run_as_researcher(image: Pushed, sif: str, args: Sequence[str] = ()) -> subprocess.CompletedProcess[bytes]:
    """What the launcher would run, on a GPU node."""
    container = exec_argv(sif, image.config, args=args)
    user, uid = RESEARCHER
    identity = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs", "env", "-C", "/tmp"]
    return on(
        "gpu1", *identity, f"HOME=/home/{user}", "apptainer", "--quiet", "exec", *container.options, *container.command
    )


def tar_of(files: Mapping[str, bytes], extra: Mapping[tarfile.TarInfo, bytes] | None = None) -> bytes:
    """A layer with these files (0755), and entries as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for entry, content in (extra or {}).items():
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def program(path: str) -> dict[str, bytes]:
    """A program of this machine with the libraries that it needs, and nothing else: no shell, no /etc."""
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True, timeout=10).stdout
    words = [word for word in listed.split() if word.startswith("/")]
    return {file.lstrip("/"): Path(file).read_bytes() for file in (path, *words)}
