"""Copies the files of a run's folder to S3, each hashed as it is read; what is refused is named and left out."""

from __future__ import annotations

from portal.daemon.context import Context
from portal.rundir import Listing, RunDir, RunDirError
from portal.store import layout
from portal.store.manifest import StoredFile


async def copy_files(
    context: Context, rundir: RunDir, folder: str, listing: Listing, to: tuple[str, str], refused: list[str]
) -> list[StoredFile]:
    """Copy `listing`'s files to (bucket, prefix); refusals are added to `refused`. Raises StoreError; may be repeated."""
    bucket, prefix = to
    stored = []
    for file in listing.files:
        try:
            with rundir.stable(f"{folder}/{file.path}") as reader:
                key = f"{prefix}{layout.FILES}{file.path}"
                await context.store.put_file(bucket, key, reader, reader.size)  # type: ignore[arg-type]
        except RunDirError as error:
            refused.append(str(error))
        else:
            stored.append(StoredFile(file.path, reader.size, reader.sha256))
    return stored
