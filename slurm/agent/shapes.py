"""Reads slurmrestd's JSON without guessing: a missing or misshapen field is a ProtocolError that names its path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

from slurm.errors import ProtocolError

NO_VALUE = frozenset({0xFFFFFFFE, 0xFFFFFFFF})
"""NO_VAL and INFINITE. Source: https://github.com/SchedMD/slurm/blob/master/slurm/slurm.h"""


def field(record: Any, path: str) -> Any:
    """The value at "a/b/c". Raises ProtocolError when it is not there."""
    value = record
    for key in path.split("/"):
        if not isinstance(value, dict) or key not in value:
            raise ProtocolError(f"{path}: missing in Slurm's answer")
        value = value[key]
    return value


def text(record: Any, path: str) -> str:
    """A string."""
    value = field(record, path)
    if not isinstance(value, str):
        raise ProtocolError(f"{path}: expected text, got {value!r:.80}")
    return value


def integer(record: Any, path: str) -> int:
    """A plain integer."""
    value = field(record, path)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ProtocolError(f"{path}: expected a number, got {value!r:.80}")
    return value


def boolean(record: Any, path: str) -> bool:
    """true or false."""
    value = field(record, path)
    if not isinstance(value, bool):
        raise ProtocolError(f"{path}: expected true or false, got {value!r:.80}")
    return value


def optional(record: Any, path: str) -> int | None:
    """Slurm's number that may be unset or infinite: {"set": true, "infinite": false, "number": 5} -> 5, else None."""
    value = field(record, path)
    if not isinstance(value, dict) or not {"set", "infinite", "number"} <= value.keys():
        raise ProtocolError(f"{path}: expected set, infinite and number, got {value!r:.80}")
    return int(value["number"]) if value["set"] and not value["infinite"] else None


def moment(record: Any, path: str) -> int | None:
    """Epoch seconds of a number that may be unset; 0 and Slurm's NO_VAL mean unset too."""
    value = field(record, path)
    seconds = optional(record, path) if isinstance(value, dict) else integer(record, path)
    return seconds if seconds and seconds not in NO_VALUE else None


def words(record: Any, path: str) -> tuple[str, ...]:
    """A list of strings."""
    value = field(record, path)
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ProtocolError(f"{path}: expected a list of words, got {value!r:.80}")
    return tuple(value)


def records(answer: Any, path: str) -> list[Any]:
    """A list of objects."""
    value = field(answer, path)
    if not isinstance(value, list):
        raise ProtocolError(f"{path}: expected a list, got {value!r:.80}")
    return value


def csv(value: str) -> frozenset[str]:
    """Words of "a,b"."""
    return frozenset(word for word in value.split(",") if word)


def dependency(value: str) -> str:
    """ "afterok:12" of "afterok:12(unfulfilled)"."""
    return re.sub(r"\([a-z]+\)", "", value)


def hosts(value: str) -> tuple[str, ...]:
    """Node names of "gpu[1-2],cpu7"; () for "", "(null)" and "None assigned"."""
    if value in ("", "(null)", "None assigned"):
        return ()
    try:
        names = tuple(NodeSet(value, resolver=RESOLVER_NOGROUP))
    except NodeSetException as error:
        raise ProtocolError(f"not a node list: {value!r:.80}") from error
    if not all(_HOST.fullmatch(name) for name in names):
        raise ProtocolError(f"not a node list: {value!r:.80}")
    return names


_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_GRES = re.compile(
    r"(?:gres[/:])?(?P<name>[A-Za-z_][\w.-]*)(?::(?P<kind>[\w.-]*[A-Za-z_][\w.-]*?))?"
    r"(?:[:=](?P<count>\d+)(?P<unit>[KMGTP]?))?(?:\([^)]*\))?"
)
_UNITS = {unit: 1024**power for power, unit in enumerate(("", "K", "M", "G", "T", "P"))}


def gres(value: str) -> dict[str, int]:
    """Counts by "name:type": "gpu:A100:8(S:0-1),shard:32(...)" -> {"gpu:A100": 8, "shard": 32}.

    Also reads the "gres/gpu:A100:4" of a request. Raises ProtocolError for anything else.
    """
    found: list[tuple[str, int]] = []
    plain = value.replace("(null):", "").replace("(null)", "").replace("N/A", "")
    for word in re.split(r",(?![^(]*\))", plain):
        if not word:
            continue
        match = _GRES.fullmatch(word)
        if match is None:
            raise ProtocolError(f"not a GRES: {word!r:.80}")
        key = f"{match['name']}:{match['kind']}" if match["kind"] else match["name"]
        found.append((key, int(match["count"] or 1) * _UNITS[match["unit"] or ""]))
    return counted(found)


def counted(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sums by name without "gres/"; a shard's type is dropped, for a job can only ask for shards as such.

    Source: docs/agent.md (measured on 26.05.5: nodes list "shard:tesla_v100:32", "shard:tesla_v100:2" is refused).
    """
    counts: dict[str, int] = {}
    for name, count in pairs:
        plain = name.removeprefix("gres/").removeprefix("gres:")
        key = "shard" if plain.startswith("shard:") else plain
        counts[key] = counts.get(key, 0) + count
    return counts
