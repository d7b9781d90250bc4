"""Make the portal's buckets and its two MinIO keys (`apply`), or prove what each key may do (`verify`).

Run by the role object_store_access on standard input; OBJECT_STORE in the environment is JSON:
{"endpoint": "svc:9000", "region": "us-east-1", "root": {"name", "secret"}, "buckets": [...],
 "keys": [{"name", "secret", "access": "read" | "write"}]}
"""

import io
import json
import os
import sys
from typing import Any

from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error

PROBE = "portal-access-probe"
READ = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
WRITE = [
    *READ,
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucketMultipartUploads",
    "s3:CreateBucket",
]


def policy(access: str, buckets: list[str]) -> dict[str, Any]:
    """The policy document of a key; reading is all that a "read" key can do."""
    resources = [f"arn:aws:s3:::{bucket}{tail}" for bucket in buckets for tail in ("", "/*")]
    actions = WRITE if access == "write" else READ
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}]}


def client(site: dict[str, Any], who: dict[str, str]) -> Minio:
    """A client that speaks with one key."""
    return Minio(site["endpoint"], who["name"], who["secret"], region=site["region"])


def works(site: dict[str, Any], key: dict[str, str]) -> bool:
    """Whether the key exists, has this secret and may list the first bucket."""
    try:
        client(site, key).bucket_exists(site["buckets"][0])
    except S3Error:
        return False
    return True


def same_policy(admin: MinioAdmin, name: str, wanted: dict[str, Any]) -> bool:
    """Whether MinIO holds this policy already (it may order actions and resources as it likes)."""
    try:
        found = json.loads(admin.policy_info(name))
    except MinioAdminException:
        return False
    statements = found.get("Policy", found).get("Statement", [])
    mine = wanted["Statement"][0]
    return len(statements) == 1 and all(
        sorted(statements[0].get(field, [])) == sorted(mine[field]) for field in ("Action", "Resource")
    )


def apply(site: dict[str, Any]) -> list[str]:
    """Make what is missing and return what was changed."""
    changed = []
    root = client(site, site["root"])
    for bucket in site["buckets"]:
        if not root.bucket_exists(bucket):
            root.make_bucket(bucket)
            changed.append(f"bucket {bucket}")
    credentials = StaticProvider(site["root"]["name"], site["root"]["secret"])
    admin = MinioAdmin(endpoint=site["endpoint"], credentials=credentials, region=site["region"])
    for key in site["keys"]:
        wanted = policy(key["access"], site["buckets"])
        if not same_policy(admin, key["name"], wanted):
            admin.policy_add(key["name"], policy=wanted)
            changed.append(f"policy {key['name']}")
        if not works(site, key):
            admin.user_add(key["name"], key["secret"])
            admin.policy_set(key["name"], user=key["name"])
            changed.append(f"key {key['name']}")
    return changed


def verify(site: dict[str, Any]) -> list[str]:
    """Return what is wrong with each key's power over each bucket."""
    wrong = []
    root = client(site, site["root"])
    for key in site["keys"]:
        store = client(site, key)
        for bucket in site["buckets"]:
            root.put_object(bucket, PROBE, io.BytesIO(b"probe"), 5)
            try:
                store.get_object(bucket, PROBE).close()
            except S3Error as exc:
                wrong.append(f"{key['name']} cannot read {bucket}: {exc.code}")
            may_write = True
            try:
                store.put_object(bucket, PROBE, io.BytesIO(b"probe"), 5)
            except S3Error:
                may_write = False
            if may_write != (key["access"] == "write"):
                wrong.append(f"{key['name']} {'can' if may_write else 'cannot'} write {bucket}")
            root.remove_object(bucket, PROBE)
    return wrong


def main() -> int:
    """Print what changed, or what is wrong; secrets never."""
    site = json.loads(os.environ["OBJECT_STORE"])
    if sys.argv[1] == "apply":
        for change in apply(site):
            print("changed", change)
        return 0
    problems = verify(site)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())
