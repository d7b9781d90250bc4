"""Asks the site's Prometheus: one address from the settings, fixed questions, a short wait, and answers of bounded size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

from portal.domain.gpupast import Range
from portal.domain.gpuuse import Series

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 16 << 20
"""100,000 series, far more than any cluster has GPUs."""


class PrometheusError(Exception):
    """Prometheus gives no answer that can be used; the text says why and what to look at."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    metric: dict[str, str]
    value: tuple[float, str]


class _RangeLine(BaseModel):
    model_config = ConfigDict(extra="ignore")
    metric: dict[str, str]
    values: list[tuple[float, str]]


L = TypeVar("L", _Line, _RangeLine)


class _Data(BaseModel, Generic[L]):
    resultType: str
    result: list[L]


class _Answer(BaseModel, Generic[L]):
    """`{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {...}, "value": [1.7e9, "42"]}]}}`;
    of a range `"matrix"` and `"values": [[1.7e9, "42"], ...]`.

    Source: https://prometheus.io/docs/prometheus/latest/querying/api/ (v1)
    """

    model_config = ConfigDict(extra="ignore")
    status: str
    data: _Data[L]


class Prometheus:
    """The instance at `address`; redirects are not followed, so nobody leads the daemon elsewhere."""

    def __init__(self, address: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._address = address.rstrip("/")
        self._transport = transport

    async def ask(self, queries: Mapping[str, str]) -> dict[str, tuple[Series, ...]]:
        """The newest values of each query by its name. Raises PrometheusError."""
        async with self._client() as client:
            return {name: await self._one(client, query) for name, query in queries.items()}

    async def ask_range(
        self, queries: Mapping[str, str], begin: datetime, end: datetime, step_s: int
    ) -> dict[str, tuple[Range, ...]]:
        """The values of each query from `begin` to `end`, one every `step_s`. Raises PrometheusError."""
        span = {"start": f"{begin.timestamp():.0f}", "end": f"{end.timestamp():.0f}", "step": str(step_s)}
        found: dict[str, tuple[Range, ...]] = {}
        async with self._client() as client:
            for name, query in queries.items():
                answer = await self._answer(client, "query_range", {"query": query, **span}, _Answer[_RangeLine])
                found[name] = tuple(
                    (line.metric, [(at, value) for at, text in line.values if (value := _number(text)) is not None])
                    for line in answer.data.result
                )
        return found

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, transport=self._transport, trust_env=False)

    async def _one(self, client: httpx2.AsyncClient, query: str) -> tuple[Series, ...]:
        answer = await self._answer(client, "query", {"query": query}, _Answer[_Line])
        pairs = ((line.metric, _number(line.value[1])) for line in answer.data.result)
        return tuple((labels, value) for labels, value in pairs if value is not None)

    async def _answer(
        self, client: httpx2.AsyncClient, what: str, params: Mapping[str, str], shape: type[_Answer[L]]
    ) -> _Answer[L]:
        try:
            async with client.stream("GET", f"{self._address}/api/v1/{what}", params=dict(params)) as response:
                body = await _bounded(response)
        except httpx2.HTTPError as error:
            raise PrometheusError(f"{self._address} does not answer: {error or type(error).__name__}") from error
        if response.status_code != httpx2.codes.OK:
            raise PrometheusError(f"{self._address} answers {response.status_code} to a query")
        try:
            return shape.model_validate_json(body)
        except ValidationError as error:
            raise PrometheusError(f"{self._address} answers, but not as Prometheus does") from error


async def _bounded(response: Any) -> bytes:
    """The body. Raises PrometheusError when it is too large."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise PrometheusError(f"an answer of more than {MAX_ANSWER_BYTES >> 20} MiB")
    return bytes(body)


def _number(text: str) -> float | None:
    """A figure; None for NaN and infinities, which measure nothing."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
