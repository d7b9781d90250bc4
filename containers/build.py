"""`apptainer build` of one pinned image as a child process: its words, its environment, its time and its output."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from containers.errors import ConversionFailed
from containers.reference import Reference
from containers.registry import RegistryAccess

APPTAINER = "apptainer"
SIF_NAME = "image.sif"
MAX_LINE = 500
LAST_LINES = 15
NO_SPACE = "no space left on device"  # strerror(ENOSPC) as Go and mksquashfs print it
# A tenth of the time of mksquashfs' own gzip -9 at the same size, and faster to read. Kernels since 4.14 and
# the distributions' squashfuse know zstd. Measured with the example images: docs/containers.md.
MKSQUASHFS_ARGS = "-comp zstd -Xcompression-level 3"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build_argv(reference: Reference, sif: Path, access: RegistryAccess, program: str = APPTAINER) -> list[str]:
    """The words: the image by its digest only, so that what was looked at is what is built.

    Source: https://apptainer.org/docs/user/1.4/cli/apptainer_build.html
    """
    options = ["--disable-cache", "--arch", "amd64", "--mksquashfs-args", MKSQUASHFS_ARGS]
    if access.credentials:
        options += ["--authfile", str(access.credentials)]
    if reference.registry in access.insecure:
        options.append("--no-https")
    return [program, "build", *options, str(sif), f"docker://{reference.name}@{reference.digest}"]


def build_environment(work: Path, access: RegistryAccess) -> dict[str, str]:
    """All the variables that apptainer sees; nothing of ours is inherited."""
    environment = {
        "PATH": _PATH,
        "HOME": str(work),
        "TMPDIR": str(work),
        "APPTAINER_TMPDIR": str(work),
        "APPTAINER_CACHEDIR": str(work / "cache"),
        "APPTAINER_CONFIGDIR": str(work / "config"),
    }
    if access.ca_file:
        # Go adds this file to the certificates of /etc/ssl/certs. Source: https://pkg.go.dev/crypto/x509#SystemCertPool
        environment["SSL_CERT_FILE"] = str(access.ca_file)
    return environment


def build_sif(
    reference: Reference,
    work: Path,
    access: RegistryAccess,
    say: Callable[[str], None],
    *,
    timeout_s: float,
    program: str = APPTAINER,
) -> Path:
    """Build `work/image.sif` and return its path; every line that apptainer writes goes to `say`.

    Raises ConversionFailed: "no_space", or "failed" with apptainer's last lines.
    """
    sif = work / SIF_NAME
    process = subprocess.Popen(
        build_argv(reference, sif, access, program),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=build_environment(work, access),
        cwd=work,
        start_new_session=True,
        text=True,
        errors="replace",
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    try:
        last = _relay(process, say)
        code = process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:  # whoever waited was stopped
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if late.is_set():
        raise ConversionFailed("failed", f"the conversion took longer than {timeout_s:.0f} s and was stopped")
    if code != 0 or not sif.is_file():
        raise _failure(code, last)
    return sif


def _relay(process: subprocess.Popen[str], say: Callable[[str], None]) -> tuple[str, ...]:
    """Pass on every line; keep the last ones."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            text = line.rstrip()[:MAX_LINE]
            if text:
                last.append(text)
                say(text)
    return tuple(last)


def _failure(code: int, last: tuple[str, ...]) -> ConversionFailed:
    text = "\n".join(last)
    if NO_SPACE in text.lower():
        return ConversionFailed("no_space", f"the disk filled up while the image was converted:\n{text}")
    how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
    return ConversionFailed("failed", f"apptainer {how}:\n{text}")
