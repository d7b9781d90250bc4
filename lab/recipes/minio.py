"""Build MinIO inside the root filesystem, for machines whose own Go is missing or too old.

Run by `onelab.builder`: arguments are the module with its version, then flags for `go install`; result in /out.
"""

import os
import subprocess
import sys

module, *flags = sys.argv[1:]
environ = {
    **os.environ,
    "DEBIAN_FRONTEND": "noninteractive",
    "CGO_ENABLED": "0",
    "GOBIN": "/out",
    "GOTOOLCHAIN": "local",
}
subprocess.run(["apt-get", "update", "-q"], check=True, env=environ, timeout=300)
subprocess.run(["apt-get", "install", "-y", "-q", "golang-go"], check=True, env=environ, timeout=600)
subprocess.run(["go", "install", *flags, module], check=True, env=environ, timeout=1500)
