"""What lies over the base filesystem: MinIO, Keycloak, the portal's locked Python packages, PySlurm."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tomllib
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from onelab.base import base_key, build_base, suite
from onelab.builder import Step, run_inside
from onelab.cache import Cache, content_key
from onelab.commands import run, run_logged
from onelab.errors import CommandFailed, LabError
from onelab.progress import Progress

RECIPES = Path(__file__).resolve().parent.parent / "recipes"

MINIO = "github.com/minio/minio"
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
"""The last commit of MinIO's archived repository: what `@latest` has named since 2026-04."""
MINIO_SAYS = (f"-X {MINIO}/cmd.ReleaseTag={MINIO_VERSION}", f"-X {MINIO}/cmd.CommitID={MINIO_VERSION.split('-')[-1]}")
"""What `minio --version` prints; left alone, it would say DEVELOPMENT.GOGET."""
GO_NEEDED = (1, 24)
GO_ARGS = ("-trimpath", f"-ldflags=-s -w {' '.join(MINIO_SAYS)}", f"{MINIO}@{MINIO_VERSION}")
BUILD_TIMEOUT_S = 1800

KEYCLOAK_VERSION = "26.7.3"
KEYCLOAK_ADDRESS = (
    "https://repo1.maven.org/maven2/org/keycloak/keycloak-quarkus-dist"
    f"/{KEYCLOAK_VERSION}/keycloak-quarkus-dist-{KEYCLOAK_VERSION}.zip"
)
KEYCLOAK_SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
DOWNLOAD_TIMEOUT_S = 600

PYSLURM_SUITE = "forky"
"""Only forky's Slurm 26.05 lets PySlurm 25.11 be compiled against it."""


@dataclass(frozen=True)
class Layers:
    """Folders of the nodes' filesystem; `pyslurm` is empty where the suite's Slurm has none."""

    base: str
    minio: str
    venv: str
    pyslurm: str
    keycloak: str = ""

    def lowers(self) -> list[Path]:
        """Folders for an overlay mount, the topmost first."""
        return [Path(name) for name in (self.pyslurm, self.venv, self.keycloak, self.minio, self.base) if name]

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Layer:
    """One folder to build: `build` fills the folder it is given and writes its output to the log."""

    kind: str
    title: str
    key: str
    build: Callable[[Path, Path], None]

    def folder(self, cache: Cache, progress: Progress) -> Path:
        """Return the folder from the cache, or build it and say so."""
        final = cache.path(self.kind, self.key)
        if final.exists():
            return final
        log = cache.log(self.kind, self.key)
        with progress.step(f"{self.title} (log: {log})"):
            return cache.get(self.kind, self.key, lambda target: self.build(target, log))


def build_layers(cache: Cache, checkout: Path, progress: Progress) -> Layers:
    """Return all layers, building what is not cached, side by side where one does not need the other.

    Raises: CommandFailed of the first build that failed; LabError for an unknown suite or an unreadable lock.
    """
    chosen = suite()
    with ThreadPoolExecutor(max_workers=4) as pool:
        base_job = pool.submit(base_layer(chosen).folder, cache, progress)
        minio_job = pool.submit(minio_layer(base_job.result).folder, cache, progress)
        base = base_job.result()
        keycloak_job = pool.submit(keycloak_layer(chosen, base, cache).folder, cache, progress)
        venv_job = pool.submit(venv_layer(chosen, base, checkout, cache).folder, cache, progress)
        pyslurm = ""
        if chosen == PYSLURM_SUITE:
            pyslurm = str(pyslurm_layer(chosen, base, checkout).folder(cache, progress))
        return Layers(str(base), str(minio_job.result()), str(venv_job.result()), pyslurm, str(keycloak_job.result()))


def base_layer(of_suite: str) -> Layer:
    return Layer(
        "base",
        f"base filesystem, Debian {of_suite}",
        base_key(of_suite),
        lambda target, log: build_base(of_suite, target, log),
    )


def minio_layer(base: Callable[[], Path]) -> Layer:
    """MinIO from source: with this machine's Go if it is new enough, else with the base filesystem's suite's."""

    def build(target: Path, log: Path) -> None:
        binaries = target / "usr" / "local" / "bin"
        binaries.mkdir(parents=True)
        if host_go_is_new_enough():
            environ = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(binaries), "GOTOOLCHAIN": "local"}
            # Not from the checkout, nor from any other folder whose go.mod could have a say.
            run_logged(["go", "install", *GO_ARGS], log=log, timeout_s=BUILD_TIMEOUT_S, cwd=target, env=environ)
        else:
            step = Step(RECIPES / "minio.py", GO_ARGS, writable={"/out": binaries}, timeout_s=BUILD_TIMEOUT_S)
            run_inside(base(), step, log)

    return Layer("minio", "MinIO from source", content_key(*GO_ARGS), build)


def keycloak_layer(of_suite: str, base: Path, cache: Cache) -> Layer:
    """Keycloak, the suite's Java and xmlsec1."""
    recipe = RECIPES / "keycloak.py"

    def build(target: Path, log: Path) -> None:
        archive = cache.root / "downloads" / f"keycloak-{KEYCLOAK_VERSION}.zip"
        download(KEYCLOAK_ADDRESS, archive, KEYCLOAK_SHA256)
        step = Step(
            recipe, writable={"/out": target}, readable={"/in/keycloak.zip": archive}, timeout_s=BUILD_TIMEOUT_S
        )
        run_inside(base, step, log)

    return Layer("keycloak", "Keycloak", content_key(base_key(of_suite), recipe.read_text(), KEYCLOAK_SHA256), build)


def download(address: str, target: Path, sha256: str) -> None:
    """Fetch a file that is not there yet and compare it with its checksum.

    Raises: LabError when it cannot be had or is not what it was.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")
    try:
        with urllib.request.urlopen(address, timeout=DOWNLOAD_TIMEOUT_S) as answer, partial.open("wb") as file:
            shutil.copyfileobj(answer, file)
        with partial.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise LabError(f"{address} is not what it was: sha256 {found}, expected {sha256}")
        partial.replace(target)
    except OSError as exc:
        raise LabError(f"{address} cannot be fetched: {exc}") from exc
    finally:
        partial.unlink(missing_ok=True)


def venv_layer(of_suite: str, base: Path, checkout: Path, cache: Cache) -> Layer:
    """/opt/one/venv: the suite's own Python with every package of uv.lock, but not the project itself."""
    recipe = RECIPES / "portal_venv.py"
    lock = checkout / "uv.lock"
    key = content_key(base_key(of_suite), recipe.read_text(), lock.read_text())

    def build(target: Path, log: Path) -> None:
        home = target / "opt" / "one"
        home.mkdir(parents=True)
        downloads = cache.root / "uv"
        downloads.mkdir(parents=True, exist_ok=True)
        step = Step(
            recipe,
            writable={"/opt/one": home, "/root/.cache/uv": downloads},
            readable={"/in/uv.lock": lock, "/in/pyproject.toml": checkout / "pyproject.toml"},
            timeout_s=BUILD_TIMEOUT_S,
        )
        run_inside(base, step, log)

    return Layer("venv", "portal's Python packages", key, build)


def pyslurm_layer(of_suite: str, base: Path, checkout: Path) -> Layer:
    """PySlurm compiled against the suite's Slurm, at its place in /opt/one/venv."""
    recipe = RECIPES / "pyslurm.py"
    version = locked_version(checkout / "uv.lock", "pyslurm")

    def build(target: Path, log: Path) -> None:
        run_inside(base, Step(recipe, (version,), writable={"/out": target}, timeout_s=BUILD_TIMEOUT_S), log)

    key = content_key(base_key(of_suite), recipe.read_text(), version)
    return Layer("pyslurm", f"PySlurm {version}", key, build)


def locked_version(lock: Path, package: str) -> str:
    """Return the version that uv.lock holds for `package`.

    Raises: LabError when it holds none.
    """
    for entry in tomllib.loads(lock.read_text()).get("package", ()):
        if entry["name"] == package:
            return str(entry["version"])
    raise LabError(f"{lock} names no {package}: run `uv lock`")


def host_go_is_new_enough() -> bool:
    """Say whether this machine has a Go that can build MinIO."""
    if shutil.which("go") is None:
        return False
    try:
        return go_version(run(["go", "version"], timeout_s=30)) >= GO_NEEDED
    except CommandFailed:
        return False


def go_version(text: str) -> tuple[int, int]:
    """Return (major, minor) of `go version go1.26.8 linux/amd64`; (0, 0) for what is no version."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
