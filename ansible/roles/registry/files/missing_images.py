"""Read images as JSON from standard input and print those that the registry lacks or has under another digest.

[{"name": "env-sim", "tag": "v1.2", "digest": "sha256:...", ...}]; the registry's address is the only argument.
"""

import json
import sys
import urllib.error
import urllib.request

ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
TIMEOUT_S = 10


def digest_of(registry, name, tag):
    """The digest that the registry serves for a tag, None when it has no such image."""
    url = f"{registry}/v2/{name}/manifests/{tag}"
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": ACCEPT})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return answer.headers["Docker-Content-Digest"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


images = json.load(sys.stdin)
print(json.dumps([image for image in images if digest_of(sys.argv[1], image["name"], image["tag"]) != image["digest"]]))
