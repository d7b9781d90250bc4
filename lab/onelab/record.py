"""What a checkout's lab is made of, kept between `up` and `down`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network

from onelab.errors import NotBuilt
from onelab.layers import Layers
from onelab.layout import Layout


@dataclass(frozen=True)
class Record:
    """The subnet and the layers of the last `up`."""

    subnet: IPv4Network
    layers: Layers


def load(layout: Layout) -> Record:
    """Return the record of the last `up`.

    Raises: NotBuilt.
    """
    try:
        raw = json.loads(layout.record.read_text())
    except FileNotFoundError as exc:
        raise NotBuilt from exc
    return Record(IPv4Network(raw["subnet"]), Layers(**raw["layers"]))


def save(layout: Layout, record: Record) -> None:
    """Write the record so that a crash leaves the old one or the new one."""
    layout.state.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"subnet": str(record.subnet), "layers": record.layers.to_dict()}, indent=1) + "\n"
    temporary = layout.record.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(layout.record)
