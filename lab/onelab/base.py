"""The root filesystem that all nodes share: one Debian, all packages in, all their services off."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from onelab.cache import content_key
from onelab.commands import run, run_logged
from onelab.errors import LabError

MIRROR = "http://deb.debian.org/debian"
SUITES = ("forky", "trixie")
"""forky: Slurm 26.05, runs PySlurm 25.11. trixie: Slurm 24.11, for which no PySlurm can be built here."""

PACKAGES = (
    *("slurmctld", "slurmd", "slurmdbd", "slurmrestd", "slurm-client", "munge"),
    *("slurm-wlm-basic-plugins", "slurm-wlm-jwt-plugin", "slurm-wlm-mysql-plugin"),
    *("mariadb-server", "postgresql", "prometheus", "prometheus-node-exporter", "docker-registry"),
    *("apptainer", "fuse3", "fuse2fs", "squashfuse", "skopeo", "umoci"),
    *("openssh-server", "systemd", "systemd-sysv", "dbus", "sudo", "acl", "rsync"),
    *("python3", "python3-venv", "python3-apt", "python3-psycopg2", "python3-pymysql", "python3-cryptography"),
    *("iproute2", "iputils-ping", "procps", "psmisc", "curl", "jq", "less", "openssl", "ca-certificates", "tzdata"),
    "libfaketime",  # a daemon whose clock is wrong (tests/lab)
)

SID_PIN = "Package: *\nPin: release a=unstable\nPin-Priority: 100\n"
"""Apptainer is only in sid: with this pin nothing else comes from there."""

PRESET = "enable ssh.service\nenable systemd-networkd.service\ndisable *\n"
MASKED = ("systemd-modules-load.service", "systemd-networkd-wait-online.service")
"""Both can only fail inside nspawn, and one failed unit makes the whole node `degraded`."""

JOURNAL = "[Journal]\nStorage=persistent\nSystemMaxUse=200M\n"
APT = 'Acquire::Check-Valid-Until "false";\nAPT::Install-Recommends "false";\n'

FILES = {
    "etc/systemd/system-preset/00-lab.preset": PRESET,
    "etc/systemd/journald.conf.d/lab.conf": JOURNAL,
    "etc/apt/apt.conf.d/lab": APT,
}
REMOVED = ("etc/hostname", "etc/resolv.conf", "etc/munge/munge.key")
"""mmdebstrap copies the first two from this machine; the munge key is Ansible's to make."""

BUILD_TIMEOUT_S = 1800


def suite() -> str:
    """Return the Debian suite that LAB_SUITE chooses.

    Raises: LabError for one that the lab does not know.
    """
    chosen = os.environ.get("LAB_SUITE", SUITES[0])
    if chosen not in SUITES:
        raise LabError(f"LAB_SUITE={chosen!r} is unknown; choose one of {', '.join(SUITES)}")
    return chosen


def base_key(of_suite: str) -> str:
    texts = [text for pair in sorted(FILES.items()) for text in pair]
    return content_key("base", of_suite, MIRROR, *PACKAGES, SID_PIN, *MASKED, *REMOVED, *texts)


def mmdebstrap_argv(of_suite: str, target: Path, pin: Path) -> list[str]:
    """Return the command that installs the packages into `target`."""
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=APT::Install-Recommends "false"',
        f"--setup-hook=upload {pin} /etc/apt/preferences.d/sid",
        of_suite,
        str(target),
        f"deb {MIRROR} {of_suite} main",
        f"deb {MIRROR} sid main",
    ]


def build_base(of_suite: str, target: Path, log: Path) -> None:
    """Fill `target` with the base filesystem.

    Raises: CommandFailed, with the end of the log.
    """
    with tempfile.NamedTemporaryFile("w", prefix="one-lab-pin-") as pin:
        pin.write(SID_PIN)
        pin.flush()
        run_logged(mmdebstrap_argv(of_suite, target, Path(pin.name)), log=log, timeout_s=BUILD_TIMEOUT_S)
    settle(target)


def settle(root: Path) -> None:
    """Make a fresh filesystem fit to be many nodes: no identity of its own, no service started by itself."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in REMOVED:
        (root / name).unlink(missing_ok=True)
    for host_key in (root / "etc/ssh").glob("ssh_host_*"):
        host_key.unlink()
    (root / "etc/machine-id").write_text("")
    for wanted in (root / "etc/systemd/system").glob("*.wants/*"):
        wanted.unlink()
    run(["chroot", str(root), "systemctl", "preset-all"], timeout_s=60)
    run(["chroot", str(root), "systemctl", "mask", *MASKED], timeout_s=60)
