"""Build MinIO inside the root filesystem, for machines whose own Go is missing or too old.

Run by `onelab.builder`: the arguments are those of `go install`; the binary goes to /out.
"""

import os
import subprocess
import sys

environ = {
    **os.environ,
    "DEBIAN_FRONTEND": "noninteractive",
    "CGO_ENABLED": "0",
    "GOBIN": "/out",
    "GOTOOLCHAIN": "local",
}
subprocess.run(["apt-get", "update", "-q"], check=True, env=environ, timeout=300)
subprocess.run(["apt-get", "install", "-y", "-q", "golang-go"], check=True, env=environ, timeout=600)
subprocess.run(["go", "install", *sys.argv[1:]], check=True, env=environ, timeout=1500)
