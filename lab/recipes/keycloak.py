"""Keycloak with its Java, and xmlsec1 for the portal's SAML, as one folder to lie over the base filesystem.

Run by `onelab.builder` inside that filesystem: /in/keycloak.zip is unpacked and built for a quick start; what apt changes
anywhere is copied to /out, the package database with it, so that Ansible finds the packages installed.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

OUT = Path("/out")
HOME = OUT / "opt" / "keycloak"
SKIPPED = ("/proc", "/sys", "/dev", "/run", "/tmp", "/out", "/in", "/var/cache", "/var/log", "/var/lib/apt", "/root")
PACKAGES = ("default-jre-headless", "xmlsec1")

environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


def changed_since(stamp: Path) -> list[str]:
    """Files and links whose inode is newer than the stamp: apt keeps the times of what it unpacks, but not these."""
    prune = [word for path in SKIPPED for word in ("-path", path, "-prune", "-o")]
    found = ["find", "/", "-xdev", *prune, "(", "-type", "f", "-o", "-type", "l", ")", "-cnewer", str(stamp), "-print0"]
    return subprocess.run(found, check=True, capture_output=True, text=True, timeout=300).stdout.split("\0")[:-1]


stamp = Path("/tmp/before")
stamp.touch()
subprocess.run(["apt-get", "update", "-q"], check=True, env=environ, timeout=300)
subprocess.run(
    ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES], check=True, env=environ, timeout=900
)
for name in changed_since(stamp):
    target = OUT / name.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(name, target, follow_symlinks=False)

with zipfile.ZipFile("/in/keycloak.zip") as packed:
    packed.extractall("/out/opt")
(unpacked,) = (OUT / "opt").glob("keycloak-*")
unpacked.rename(HOME)
subprocess.run(
    ["bash", str(HOME / "bin" / "kc.sh"), "build", "--db=dev-file", "--cache=local", "--health-enabled=true"],
    check=True,
    env={**environ, "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx768m"},
    timeout=1200,
)
