"""Staying with a workload until it ends: waiting for its result, or following its logs across lost connections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from portal.cli.api import Api, ConnectionLost
from portal.cli.exits import ENDED_STATES, CliError, Exit, exit_of_status
from portal.cli.output import colour_of, coloured, for_terminal, print_note
from portal.cli.words import Words

POLL_INTERVAL_S = 2.0
RETRY_STEPS_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits between tries after a lost connection; the last one repeats. A portal that restarts is back within the first few."""
Sleep = Callable[[float], None]


def state_words(document: dict[str, Any], words: Words) -> str:
    """`대기 · 이미지 준비 중`: state and phase as people read them."""
    state = words.value("state", document["state"])
    phase = "saving" if document["state"] == "saving" else document.get("phase", "")
    return f"{state} · {words.value('phase', phase)}" if phase else state


def reasons_text(document: dict[str, Any], words: Words) -> str:
    """`rl-agent GPU 4, rl-agent 메모리 128GB`: why it needs an approval."""
    text = "textKo" if words.language == "ko" else "textEn"
    return ", ".join(reason[text] for reason in document["approvalReasons"])


def wait(api: Api, words: Words, workload_id: str, *, quiet: bool = False, sleep: Sleep = time.sleep) -> dict[str, Any]:
    """The workload once it has ended; each change of state is told on stderr unless `quiet`. Ctrl-C detaches."""
    shown = ""
    for document in _looks(api, words, workload_id, sleep):
        if document["state"] in ENDED_STATES:
            return document
        now = state_words(document, words)
        if now != shown and not quiet:
            print_note(words("state_now", id=workload_id, state=now))
            shown = now
    raise AssertionError("unreachable: looking never ends by itself")


def _looks(api: Api, words: Words, workload_id: str, sleep: Sleep) -> Iterator[dict[str, Any]]:
    lost = 0
    with _detaching(words, workload_id):
        while True:
            try:
                yield api.get(f"/workloads/{workload_id}")
                lost = 0
                sleep(POLL_INTERVAL_S)
            except ConnectionLost:
                lost = _told_lost(words, lost, sleep)


def follow(
    api: Api,
    words: Words,
    workload_id: str,
    printer: LogPrinter,
    *,
    component: str = "",
    stream: str | None = None,
    sleep: Sleep = time.sleep,
) -> str:
    """Print the logs as they are written and answer the state in which the workload ended. Ctrl-C detaches."""
    position, lost = "", 0
    with _detaching(words, workload_id):
        while True:
            try:
                for event in _events(api, workload_id, position, component, stream):
                    lost = 0
                    position = event.id or position
                    if event.event == "end":
                        printer.finish()
                        return str(json.loads(event.data)["state"])
                    _show(event, printer, words, workload_id)
            except ConnectionLost:
                pass  # told below: the stream also just ends when the portal stops
            lost = _told_lost(words, lost, sleep)


def _events(api: Api, workload_id: str, position: str, component: str, stream: str | None) -> Iterator[Any]:
    return api.events(f"/workloads/{workload_id}/logs/follow", position, component=component, stream=stream)


def _show(event: Any, printer: LogPrinter, words: Words, workload_id: str) -> None:
    if event.event == "log":
        data = json.loads(event.data)
        printer.show(data["nodeId"], f"{data['step']}:{data['stream']}", data["text"])
    elif event.event == "state":
        printer.finish()
        print_note(words("state_now", id=workload_id, state=state_words(json.loads(event.data), words)))
    elif event.event == "error":
        data = json.loads(event.data)
        raise CliError(exit_of_status(data["status"]), data["detail"])


class LogPrinter:
    """Lines of many files on one screen: each line begins with its component's name."""

    def __init__(self, write: Callable[[str], object], *, prefixed: bool = True) -> None:
        self._write = write
        self._prefixed = prefixed
        self._open = ""
        self._colours = coloured()

    def show(self, name: str, file: str, text: str) -> None:
        """Text of one file; a line that another file interrupted goes on as a line of its own."""
        if self._open and self._open != file:
            self.finish()
        for line in text.splitlines(keepends=True):
            self._write(
                (self._prefix(name) if not self._open else "") + (for_terminal(line) if self._colours else line)
            )
            self._open = "" if line.endswith(("\n", "\r")) else file

    def finish(self) -> None:
        """End the line that is open."""
        if self._open:
            self._write("\n")
            self._open = ""

    def _prefix(self, name: str) -> str:
        if not self._prefixed:
            return ""
        if not self._colours:
            return f"[{name}] "
        from rich.style import Style

        return Style(color=colour_of(name)).render(f"[{name}]") + " "


@contextmanager
def _detaching(words: Words, workload_id: str) -> Iterator[None]:
    """Ctrl-C leaves the workload alone and says how to come back."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise CliError(Exit.DETACHED, "", words("detached", id=workload_id)) from error


def _told_lost(words: Words, lost: int, sleep: Sleep) -> int:
    if not lost:
        print_note(words("reconnecting"))
    sleep(RETRY_STEPS_S[min(lost, len(RETRY_STEPS_S) - 1)])
    return lost + 1
