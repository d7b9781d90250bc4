"""The container contract from inside: /one as functions that fail in plain words when something is missing.

`ONE_ROOT` stands in for /one in tests; nothing else here is special to the examples.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Missing(Exception):
    """Something that this component needs is not there; the message says what, where and who makes it."""


def root() -> Path:
    """/one."""
    return Path(os.environ.get("ONE_ROOT", "/one"))


def run(component: Callable[[], None]) -> None:
    """Run a component's main function; what is missing becomes one line on stderr and exit code 1."""
    try:
        component()
    except Missing as exc:
        sys.exit(f"{os.environ.get('ONE_NODE_ID', 'component')}: {exc}")


def say(text: str) -> None:
    """One line of the log, at once."""
    print(text, flush=True)


def config(name: str) -> dict[str, Any]:
    """`/one/config/<name>.json` (app, training, params, hosts); {} where the file has null. Raises Missing."""
    path = root() / "config" / f"{name}.json"
    if not path.is_file():
        raise Missing(f"{path} is missing: this program runs as a component of an App")
    return json.loads(path.read_text(encoding="utf-8")) or {}


def input_file(node: str, name: str) -> Path:
    """`/one/in/<node>/<name>`, made by the component before. Raises Missing."""
    path = root() / "in" / node / name
    if not path.is_file():
        raise Missing(f"{path} is missing: {node} has to run before this component and write {name} to its /one/out")
    return path


def input_json(node: str, name: str) -> dict[str, Any]:
    """A JSON object that the component before wrote. Raises Missing."""
    path = input_file(node, name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise Missing(f"{path} is not JSON ({exc}): {node} did not finish writing it") from exc
    return content


def out(name: str) -> Path:
    """`/one/out/<name>`."""
    return _writable("out", name)


def model(name: str) -> Path:
    """`/one/model/<name>`: part of the model that the workload saves."""
    return _writable("model", name)


def checkpoint(name: str) -> Path:
    """`/one/checkpoint/<name>`: still there in the next attempt."""
    return _writable("checkpoint", name)


def resuming() -> bool:
    """Whether this attempt continues an earlier one."""
    return os.environ.get("ONE_RESUME") == "1"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of our own making."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write to a temporary name, then rename: a reader sees the whole file or none."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def report(**values: float) -> None:
    """One line of /one/metrics.jsonl."""
    with (root() / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def training_data(name: str) -> Path:
    """A file under the App's storage.path. Raises Missing, also when the user may not read it."""
    storage = (config("app").get("storage") or {}).get("path")
    if not storage:
        raise Missing("the App names no storage.path, and the training data lies there")
    path = Path(storage) / name
    if not os.access(path, os.R_OK):
        raise Missing(f"the training data {path} is missing, or this user may not read it")
    return path


def _writable(folder: str, name: str) -> Path:
    parent = root() / folder
    if not parent.is_dir():
        raise Missing(f"{parent} is missing: this program runs as a component of an App")
    return parent / name
