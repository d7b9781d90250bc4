"""The log tab of a workload's page: its tabs, and the newest window of each file, for whoever has no scripts too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from portal.services import logs
from portal.services.audit import Actor
from portal.services.errors import ServiceError
from portal.services.logfollow import Cursor
from portal.services.logs import RunLogs
from portal.services.logsource import STREAMS, LogFile, Stream, wanted
from portal.services.logwindow import WINDOW_BYTES, Window, window_before, window_from
from portal.services.workloadview import RunView, StepView
from portal.settings import Settings
from portal.store.s3 import ObjectStore
from portal.web.charts import COLOURS

ALL_BYTES = 256 * 1024
"""What the newest windows of all files shown have together."""
LEAST_BYTES = 4 * 1024
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
_ERROR = re.compile(r"(?i)(error|exception|traceback|fatal|critical)\b")
_WARNING = re.compile(r"(?i)\bwarn(ing)?\b")


@dataclass(frozen=True)
class LogTab:
    """One component whose log can be read; `colour` as in graph and charts."""

    step: str
    name: str
    colour: int


@dataclass(frozen=True)
class LogLine:
    """One line without its escape codes; `css` is "error", "warn" or ""."""

    text: str
    css: str


@dataclass(frozen=True)
class LogBlock:
    """A window on one file; `earlier` is the byte before which there is more (0: nothing)."""

    window: Window
    name: str
    colour: int
    lines: tuple[LogLine, ...]

    @property
    def earlier(self) -> int:
        """Where it begins."""
        return self.window.start


@dataclass(frozen=True)
class LogView:
    """The tab; `message` (both languages) stands for the logs where they cannot be read."""

    tabs: tuple[LogTab, ...]
    step: str
    stream: str
    attempt: int = 0
    blocks: tuple[LogBlock, ...] = ()
    cursor: str = ""
    ended: bool = False
    message: tuple[str, str] = ("", "")
    readable: bool = True


async def log_view(
    session: AsyncSession,
    actor: Actor,
    settings: Settings,
    store: ObjectStore,
    view: RunView,
    wish: Mapping[str, str],
) -> LogView:
    """The tab as it is now; what forbids or prevents reading is its message."""
    tabs = tabs_of(view.steps)
    step = wish.get("step", "")
    stream = wish.get("stream", "") if wish.get("stream", "") in STREAMS else ""
    try:
        number = view.attempt.number if view.attempt else None
        found = await logs.open_logs(session, actor, settings, store, view.workload.id, number)
        files = wanted(found.files, step, cast(Stream, stream) if stream else None)
        windows = await _windows(found, files, wish.get("at", ""))
    except ServiceError as error:
        words = (error.message_ko, error.message_en)
        return LogView(tabs, step, stream, message=words, readable=False)
    named = {tab.step: tab for tab in tabs}
    blocks = tuple(_block(window, named) for window in windows)
    return LogView(tabs, step, stream, found.attempt, blocks, cursor_of(found, windows), found.ended)


def tabs_of(steps: Sequence[StepView]) -> tuple[LogTab, ...]:
    """One a component, in the spec's order."""
    return tuple(LogTab(step.step, step.name, (step.number - 1) % COLOURS + 1) for step in steps)


async def _windows(found: RunLogs, files: Sequence[LogFile], at: str) -> tuple[Window, ...]:
    if at.isdecimal() and len(files) == 1:
        return (await window_from(found, files[0], int(at), WINDOW_BYTES),)
    share = max(LEAST_BYTES, ALL_BYTES // max(1, len(files)))
    return tuple([await window_before(found, file, limit=share) for file in files if file.size])


def cursor_of(found: RunLogs, windows: Sequence[Window]) -> str:
    """From where following goes on after these windows."""
    cursor = Cursor(found.attempt)
    for window in windows:
        cursor = cursor.moved(window.file, window.end)
    return cursor.text()


def _block(window: Window, named: Mapping[str, LogTab]) -> LogBlock:
    tab = named.get(window.file.step)
    lines = tuple(_line(text) for text in window.text.splitlines())
    return LogBlock(window, tab.name if tab else window.file.node_id, tab.colour if tab else 0, lines)


def _line(text: str) -> LogLine:
    plain = _ESCAPES.sub("", text)
    css = "error" if _ERROR.search(plain) else "warn" if _WARNING.search(plain) else ""
    return LogLine(plain, css)
