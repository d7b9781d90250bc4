"""Named arrays as safetensors files: whole or absent, and equal arrays make equal bytes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from oneapp.contract import Missing

Array = NDArray[np.float64]


def save(path: Path, tensors: dict[str, Array]) -> None:
    """Write to a temporary name, then rename.

    Not safetensors' save_file: its files are 0600 whatever the umask says, and the platform could not read them.
    """
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(to_bytes({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))
    temporary.replace(path)


def load(path: Path, names: Collection[str]) -> dict[str, Array]:
    """The arrays of a file that has exactly `names`. Raises Missing for any other file."""
    try:
        tensors: dict[str, Array] = load_file(str(path))
    except (SafetensorError, OSError) as exc:
        raise Missing(f"{path} is not a safetensors file: {exc}") from exc
    if set(tensors) != set(names):
        raise Missing(f"{path} has the arrays {sorted(tensors)}, not {sorted(names)}")
    return tensors
