"""Compile PySlurm against this filesystem's newer Slurm and put it where /opt/one/venv looks for packages.

Run by `onelab.builder`: the argument is PySlurm's version; the tree to lay over the filesystem goes to /out.

PySlurm 25.11 accepts Slurm 25.11 only. Against 26.05 the unmodified package compiles and runs with Slurm's own
compatibility macro and a private copy of the headers that gives the older version number; the two further macros
stand for one error code and one function that 26.05 renamed.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HEADERS = Path("/opt/inc")
VERSION_NUMBER = "0x190b02"  # 25.11.2 in Slurm's hexadecimal form
MACROS = (
    "-DSLURM_BACKWARD_COMPAT",
    "-DESLURM_ERROR_ON_DESC_TO_RECORD_COPY=2007",
    "-Dslurm_free_ctl_conf=slurm_free_conf",
)

version = sys.argv[1]
environ = {
    **os.environ,
    "DEBIAN_FRONTEND": "noninteractive",
    "CFLAGS": " ".join(("-O1", *MACROS)),
    "SLURM_INCLUDE_DIR": str(HEADERS),
    "SLURM_LIB_DIR": f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}",
    "PYSLURM_BUILD_JOBS": str(os.cpu_count() or 1),
}


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, env=environ, timeout=1500)


run("apt-get", "update", "-q")
run("apt-get", "install", "-y", "-q", "gcc", "libc6-dev", "python3-dev", "libslurm-dev")
shutil.copytree("/usr/include/slurm", HEADERS / "slurm")
header = HEADERS / "slurm" / "slurm_version.h"
text, changed = re.subn(r"(#define SLURM_VERSION_NUMBER) .*", rf"\1 {VERSION_NUMBER}", header.read_text())
if changed != 1:
    sys.exit(f"{header} does not define SLURM_VERSION_NUMBER exactly once")
header.write_text(text)

python = f"python{sys.version_info.major}.{sys.version_info.minor}"
run("python3", "-m", "venv", "/opt/tools")
run(
    *("/opt/tools/bin/pip", "install", "-q", "--no-deps", "--no-binary=pyslurm", f"pyslurm=={version}"),
    *("--target", f"/out/opt/one/venv/lib/{python}/site-packages"),
)
