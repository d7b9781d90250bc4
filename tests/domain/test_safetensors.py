"""The header of a safetensors file: what the library writes is read, what is malformed is said so, and nothing is believed."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save

from portal.domain.safetensors import LENGTH_BYTES, MAX_HEADER_BYTES, Header, Malformed, header_length, parse


def read(data: bytes) -> Header:
    length = header_length(data[:LENGTH_BYTES], len(data))
    return parse(data[LENGTH_BYTES : LENGTH_BYTES + length], len(data))


def packed(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_it_reads_what_the_library_writes() -> None:
    arrays: dict[str, NDArray[Any]] = {
        "b.weight": np.zeros((2, 3), np.float32),
        "a": np.zeros((), np.int64),
        "half": np.zeros((4,), np.float16),
    }
    header = read(save(arrays, metadata={"framework": "np"}))
    assert {(tensor.name, tensor.dtype, tensor.shape) for tensor in header.tensors} == {
        ("b.weight", "F32", (2, 3)),
        ("a", "I64", ()),
        ("half", "F16", (4,)),
    }
    assert (header.parameters, header.metadata) == (11, (("framework", "np"),))


def tensor(**changed: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changed}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\2",
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 10) + b"{}",
        packed(b"\xff\xfe"),
        packed(b"[]"),
        packed(b"[" * 100_000),
        packed(b'{"a": 1, "a": 2}'),
        packed({"a": 1}, bytes(8)),
        packed({"a": tensor(data_offsets=[0, 9])}, bytes(8)),
        packed({"a": tensor(data_offsets=[8, 0])}, bytes(8)),
        packed({"a": tensor(data_offsets=[-8, 0])}, bytes(8)),
        packed({"a": tensor(shape=[3])}, bytes(8)),
        packed({"a": tensor(shape=[2.0])}, bytes(8)),
        packed({"a": tensor(shape=[True])}, bytes(8)),
        packed({"a": tensor(shape=[1] * 65)}, bytes(8)),
        packed({"a": tensor(dtype=7)}, bytes(8)),
        packed({"a" * 1001: tensor()}, bytes(8)),
        packed({"__metadata__": {"a": 1}}),
        packed({"__metadata__": []}),
    ],
)
def test_what_is_malformed_is_said_so(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read(data)
    assert refused.value.why_en
    assert refused.value.why_ko


def test_a_header_beyond_the_cap_is_not_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        header_length(struct.pack("<Q", MAX_HEADER_BYTES + 1), 10 * MAX_HEADER_BYTES)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    try:
        read(data)
    except Malformed:
        return
