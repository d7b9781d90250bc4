"""The header of a safetensors file: names, shapes and types of its tensors, read from its first bytes and nothing else.

The file begins with the header's length (8 bytes, little endian), then the header, a JSON object: name -> {"dtype", "shape",
"data_offsets"}, and "__metadata__" with text values. What follows are the numbers, which are never looked at.
Source: https://huggingface.co/docs/safetensors/index#format (version 0.6)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 4 << 20
"""More than the header of a model with 20,000 tensors; the format itself allows 100 MB."""
MAX_DIMENSIONS = 64
MAX_NAME_CHARS = 1000
SUFFIX = ".safetensors"
BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
}


class Malformed(ValueError):
    """Not a safetensors file as the format describes it; `why_en` and `why_ko` say where."""

    def __init__(self, why_en: str, why_ko: str) -> None:
        super().__init__(why_en)
        self.why_en, self.why_ko = why_en, why_ko


@dataclass(frozen=True)
class Tensor:
    """One tensor: its name, type, shape, number of elements and bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    size: int


@dataclass(frozen=True)
class Header:
    """What the header says: tensors in the order of the file, and the file's own metadata."""

    tensors: tuple[Tensor, ...]
    metadata: tuple[tuple[str, str], ...]

    @property
    def parameters(self) -> int:
        """Elements of all tensors."""
        return sum(tensor.elements for tensor in self.tensors)


def header_length(first: bytes, file_size: int) -> int:
    """Length of the header that follows the first 8 bytes of a file of `file_size` bytes. Raises Malformed."""
    if len(first) < LENGTH_BYTES or file_size < LENGTH_BYTES:
        raise Malformed("The file is shorter than 8 bytes.", "파일이 8바이트보다 짧습니다.")
    length = int.from_bytes(first[:LENGTH_BYTES], "little")
    if length > file_size - LENGTH_BYTES:
        raise Malformed(
            f"The header is said to have {length:,} bytes, more than the file.",
            f"헤더가 {length:,}바이트라고 적혀 있는데 파일보다 깁니다.",
        )
    if length > MAX_HEADER_BYTES:
        raise Malformed(
            f"The header has {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read.",
            f"헤더가 {length:,}바이트입니다. {MAX_HEADER_BYTES:,}바이트까지만 읽습니다.",
        )
    return length


def parse(header: bytes, file_size: int) -> Header:
    """The header's tensors. Raises Malformed for what is no JSON object of tensors, or leads outside the file."""
    try:
        document = json.loads(header, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Malformed("The header is not JSON.", "헤더가 JSON이 아닙니다.") from error
    if not isinstance(document, dict):
        raise Malformed("The header is not a JSON object.", "헤더가 JSON 객체가 아닙니다.")
    metadata = _metadata(document.pop("__metadata__", {}))
    room = file_size - LENGTH_BYTES - len(header)
    tensors = [(_offsets(name, entry, room)[0], _tensor(name, entry, room)) for name, entry in document.items()]
    return Header(tuple(tensor for _, tensor in sorted(tensors, key=lambda pair: pair[0])), metadata)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _metadata(found: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Malformed("__metadata__ is not text by name.", "__metadata__의 값이 문자열이 아닙니다.")
    return tuple(found.items())


def _tensor(name: str, entry: Any, room: int) -> Tensor:
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if len(name) > MAX_NAME_CHARS or not isinstance(dtype, str):
        raise _wrong(name)
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(map(_is_count, shape)):
        raise _wrong(name)
    elements = 1
    for side in shape:
        elements *= side
    begin, end = _offsets(name, entry, room)
    if dtype in BITS and elements * BITS[dtype] != (end - begin) * 8:
        raise _wrong(name)
    return Tensor(name, dtype, tuple(shape), elements, end - begin)


def _offsets(name: str, entry: Any, room: int) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_count, offsets)):
        raise _wrong(name)
    begin, end = offsets
    if not begin <= end <= room:
        raise _wrong(name)
    return begin, end


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _wrong(name: str) -> Malformed:
    shown = name[:80]
    return Malformed(
        f"Type, shape and place of the tensor “{shown}” do not fit together or lie outside the file.",
        f"텐서 “{shown}”의 형식, 모양, 위치가 서로 맞지 않거나 파일 밖입니다.",
    )
