#!/usr/bin/env python3
"""Build the example components' images without Docker: one Debian base layer, one thin layer each, as OCI layouts.

Prints the folder it made (or found): FOLDER/<name> is an OCI layout whose reference names are the tags. The folder's
name has a hash of everything it is made from, so nothing is built twice. Needs root (mmdebstrap), umoci and uv.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent
SUITE, PYTHON = "trixie", "3.13"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "python3,libstdc++6"
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*")
SITE = "usr/local/lib/python3.13/dist-packages"
APP = "app"
EPOCH = 1767225600  # 2026-01-01: the date of every file, so that equal content makes equal digests
CREATED = "2026-01-01T00:00:00Z"
TIMEOUT_S = 900
TOOLS = {
    "mmdebstrap": "apt-get install mmdebstrap",
    "umoci": "apt-get install umoci",
    "uv": "https://docs.astral.sh/uv/",
}


@dataclass(frozen=True)
class Image:
    """`name:tag` runs `main.py` of this folder of examples/."""

    name: str
    tag: str
    program: str


IMAGES = (
    Image("env-sim", "1.0", "rl-design-opt/env-simulator"),
    Image("rl-agent", "2.0", "rl-design-opt/rl-agent"),
    Image("reward-calc", "1.0", "rl-design-opt/reward-calc"),
    Image("param-opt", "1.5", "rl-design-opt/param-optimizer"),
    Image("data-loader", "1.0", "rl-design-opt/data-loader"),
    Image("co-sim", "1.0", "co-running/simulator"),
    Image("co-agent", "1.0", "co-running/agent"),
    Image("ring", "1.0", "two-nodes/ring"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, nargs="?", default=Path.home() / ".cache/one-lab", help="where to keep it")
    cache = parser.parse_args().cache.resolve()
    base_key = content_key([Path(__file__), HERE / "requirements.txt"])
    programs = [file for image in IMAGES for file in source_files(EXAMPLES / image.program)]
    key = content_key([Path(__file__), HERE / "requirements.txt", *source_files(EXAMPLES / "common"), *programs])
    final = cache / f"images-{key}"
    with locked(cache / "images.lock"):
        if not final.is_dir():
            check_tools()
            base = cached(cache / f"images-base-{base_key}.tar", build_base)
            cached(final, lambda folder: build_layouts(base, folder))
    print(final)


def content_key(files: Iterable[Path]) -> str:
    """A hash of names and contents."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(EXAMPLES)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def source_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One build at a time; the kernel lets go of the lock when we die."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(target: Path, build: Callable[[Path], None]) -> Path:
    """`target`, built under a temporary name first if it is not there: whole or absent. The lock is held."""
    if target.exists():
        return target
    partial = target.with_name("partial-" + target.name)
    if partial.is_dir():
        shutil.rmtree(partial)  # left behind by a build that was killed
    print(f"images: building {target.name}", file=sys.stderr)
    build(partial)
    partial.rename(target)
    return target


def check_tools() -> None:
    missing = [f"{tool} ({cure})" for tool, cure in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        sys.exit(f"images: missing {', '.join(missing)}")
    if os.geteuid() != 0:
        sys.exit("images: mmdebstrap has to run as root here")


def build_base(target: Path) -> None:
    """A tar of Debian with Python, numpy, gymnasium and safetensors, bytecode included."""
    with tempfile.TemporaryDirectory(prefix="one-images-") as temporary:
        site = Path(temporary, "site")
        install = ["uv", "pip", "install", "--quiet", "--target", str(site), "--python-version", PYTHON, "--no-deps"]
        wheels = ["--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:", "--require-hashes"]
        call([*install, *wheels, "-r", str(HERE / "requirements.txt")])
        for tests in [path for path in site.rglob("tests") if path.is_dir()]:
            shutil.rmtree(tests)
        for useless in [*site.rglob("*.pyi"), *site.rglob("*.a")]:
            useless.unlink()
        compile_all = f'chroot "$1" python3 -m compileall -q --invalidation-mode unchecked-hash /{SITE}'
        options = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        hooks = [
            f'--customize-hook=mkdir -p "$1/{SITE}"',
            f"--customize-hook=sync-in {site} /{SITE}",
            f"--customize-hook={compile_all}",
            '--customize-hook=chroot "$1" python3 -B -c "import gymnasium, numpy, safetensors.numpy"',
            '--customize-hook=rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/* "$1"/etc/hostname',
        ]
        command = [
            "mmdebstrap",
            "--mode=root",
            "--variant=essential",
            f"--include={PACKAGES}",
            "--format=tar",
            "--quiet",
        ]
        call([*command, *options, *hooks, SUITE, str(target), f"deb {MIRROR} {SUITE} main"])


def build_layouts(base: Path, folder: Path) -> None:
    """One layout an image, with the base layer's blob shared between them as hard links."""
    with tempfile.TemporaryDirectory(prefix="one-images-", dir=folder.parent) as temporary:
        work = Path(temporary, "layout")
        call(["umoci", "init", "--layout", str(work)])
        call(["umoci", "new", "--image", f"{work}:base"])
        add_layer(f"{work}:base", base, "base", "Debian, Python, numpy, gymnasium, safetensors")
        for image in IMAGES:
            layer = Path(temporary, f"{image.name}.tar")
            write_layer(layer, EXAMPLES / image.program)
            add_layer(f"{work}:base", layer, image.name, image.program)
            configure(f"{work}:{image.name}")
            split_off(work, image, folder / image.name)


def add_layer(source: str, layer: Path, tag: str, comment: str) -> None:
    history = [
        "--history.created",
        CREATED,
        "--history.created_by",
        "examples/images/build.py",
        "--history.comment",
        comment,
    ]
    call(["umoci", "raw", "add-layer", "--image", source, "--tag", tag, *history, str(layer)])


def configure(image: str) -> None:
    entrypoint = ["--config.entrypoint", "python3", "--config.entrypoint", f"/{APP}/main.py"]
    variables = [
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "OPENBLAS_NUM_THREADS=1",
        "PYTHONDONTWRITEBYTECODE=1",
        "LANG=C.UTF-8",
    ]
    environment = [word for variable in variables for word in ("--config.env", variable)]
    where = ["--config.workingdir", f"/{APP}", "--architecture", "amd64", "--os", "linux", "--created", CREATED]
    call(["umoci", "config", "--image", image, "--no-history", *entrypoint, *environment, *where])


def write_layer(target: Path, program: Path) -> None:
    """/app with the program and what the examples share."""
    files = {f"{APP}/{file.relative_to(program)}": file for file in source_files(program)}
    files |= {f"{APP}/{file.relative_to(EXAMPLES / 'common')}": file for file in source_files(EXAMPLES / "common")}
    folders = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders):
            entry = plain_entry(name, 0o755)
            entry.type = tarfile.DIRTYPE
            tar.addfile(entry)
        for name, file in sorted(files.items()):
            entry = plain_entry(name, 0o644)
            entry.size = file.stat().st_size
            with file.open("rb") as content:
                tar.addfile(entry, content)


def plain_entry(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = mode, EPOCH
    return entry


def split_off(work: Path, image: Image, target: Path) -> None:
    """An OCI layout of one image, its blobs linked from the common one.

    Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
    """
    index = json.loads((work / "index.json").read_text())
    entry = next(entry for entry in index["manifests"] if reference_name(entry) == image.name)
    entry["annotations"]["org.opencontainers.image.ref.name"] = image.tag
    manifest = json.loads(blob(work, entry["digest"]).read_text())
    digests = [entry["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
    blob(target, entry["digest"]).parent.mkdir(parents=True)
    for digest in digests:
        blob(target, digest).hardlink_to(blob(work, digest))
    shutil.copyfile(work / "oci-layout", target / "oci-layout")
    (target / "index.json").write_text(json.dumps(index | {"manifests": [entry]}))


def reference_name(entry: dict[str, dict[str, str]]) -> str | None:
    return entry.get("annotations", {}).get("org.opencontainers.image.ref.name")


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def call(command: list[str]) -> None:
    """Run a tool; its output goes to stderr, because stdout is the answer."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)}
    code = subprocess.run(command, stdout=sys.stderr, env=environment, timeout=TIMEOUT_S, check=False).returncode
    if code != 0:
        sys.exit(f"images: {command[0]} ended with {code}: {' '.join(command)}")


if __name__ == "__main__":
    main()
