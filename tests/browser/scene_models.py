"""Models of two Apps in several versions, with rewards, aliases and a note: what the pages of models and comparisons show."""

from __future__ import annotations

import copy
import json
import math
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from portal.db.engine import transaction
from portal.services import aliasmoves, modelchanges
from tests.daemon.world import World

Make = Callable[..., dict[str, Any]]
NOTE = """## 왜 이 버전인가

학습률을 0.01로 올리니 **초반이 빠르고** 마지막 보상도 높습니다.

| 실행 | 보상 |
|---|---|
| v1 | 88.3 |
| v2 | 91.7 |

- [ ] 다른 시드로 한 번 더
- 자료: [내부 위키](https://wiki.example/rl)
"""


def safetensors(shapes: dict[str, tuple[int, ...]], **metadata: str) -> bytes:
    """A file as the format describes it, all numbers zero."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


POLICY = safetensors(
    {
        "policy.0.weight": (128, 24),
        "policy.0.bias": (128,),
        "policy.2.weight": (64, 128),
        "policy.2.bias": (64,),
        "value.weight": (1, 64),
        "log_std": (6,),
    },
    framework="gymnasium",
    algorithm="PPO",
)


def rewards(top: float, rise: float, count: int = 120) -> list[float]:
    """A curve that rises to about `top`, with the same small waves every time."""
    return [
        round(top - (top - 8) * math.exp(-number / rise) + 3 * math.sin(number * 1.7) * math.exp(-number / 90), 3)
        for number in range(1, count + 1)
    ]


async def add(world: World, app: Make, run: Callable[..., Awaitable[None]]) -> None:
    """Three versions of one App that differ in learning rate and seed, two of park's, and what people say about them."""
    rates = [(0.001, 91.0, 45.0), (0.01, 95.0, 22.0), (0.003, 93.5, 30.0)]
    for number, (rate, top, rise) in enumerate(rates, 1):
        spec = _trained_with(app("APP-POLICY", "Policy-Search", gpus=1, memory="16GB"), rate)
        made = await world.submit(spec, name=f"Policy-Search-lr{number}", overrides={})
        await run(world, made, rewards=rewards(top, rise), files=_files(number))
    for number in (1, 2):
        spec = app("APP-VISION", "Vision-Backbone", gpus=1, memory="32GB")
        made = await world.submit(spec, who="park", name=f"Vision-Backbone-v{number}")
        await run(world, made, rewards=rewards(70.0 + 4 * number, 40.0, 60), files=_files(number))
    kim = world.actors["kim"]
    async with transaction(world.maker) as session:
        await aliasmoves.give(session, kim, "APP-POLICY", 1, "champion", "첫 기준 모델")
        await aliasmoves.give(session, kim, "APP-POLICY", 2, "champion", "보상이 4.0 높고 수렴이 두 배 빠릅니다")
        await aliasmoves.give(session, kim, "APP-POLICY", 3, "candidate")
        await modelchanges.write_note(session, kim, "APP-POLICY", 2, "초안: 시드 하나로만 확인")
        await modelchanges.write_note(session, kim, "APP-POLICY", 2, NOTE)


def _trained_with(spec: dict[str, Any], rate: float) -> dict[str, Any]:
    """The version counts with the rate: the same version never has two contents."""
    made = copy.deepcopy(spec)
    made["training_config"]["learning_rate"] = rate
    made["version"] = f"1.{round(rate * 1000)}.0"
    return made


def _files(number: int) -> dict[str, bytes]:
    report = json.dumps({"version": number, "notes": "evaluated on 100 episodes"}, indent=1).encode()
    return {"policy.safetensors": POLICY, "report.json": report, "broken.safetensors": b"\xff" * 32}


def write_files(run_dir: str, files: dict[str, bytes]) -> None:
    """Put them where a run leaves its model."""
    for name, data in files.items():
        path = Path(run_dir, "model", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
