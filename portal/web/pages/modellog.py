"""The logs of the run that made a model, the end of one file at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portal.services import logs
from portal.services.errors import ServiceError
from portal.services.logsource import LogFile
from portal.services.modelview import ModelDetail
from portal.settings import Settings
from portal.store.s3 import ObjectStore
from portal.web.language import Language
from portal.web.pages.modeladdress import Here

TAIL_BYTES = 256 * 1024
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class LogView:
    """The files that have something in them, the chosen one's key and its last bytes; `trouble` says why there is nothing."""

    files: tuple[tuple[str, LogFile], ...] = ()
    chosen: str = ""
    text: str = ""
    is_cut: bool = False
    trouble: str = ""


NO_LOG = LogView()


async def log_view(
    here: Here,
    settings: Settings,
    store: ObjectStore,
    found: ModelDetail,
    step: str,
    language: Language,
) -> LogView:
    """The end of the log `step` (`TASK/NODE:stdout`), by default the last step's output."""
    try:
        workload, attempt = found.line.model.workload_id, found.lineage.get("attempt")
        opened = await logs.open_logs(here.session, here.actor, settings, store, workload, attempt)
        files = tuple((f"{file.step}:{file.stream}", file) for file in opened.files if file.size)
        if not files:
            return NO_LOG
        usual = [key for key, file in files if not file.is_system] or [files[0][0]]
        chosen = step if step in dict(files) else usual[-1]
        file = dict(files)[chosen]
        start, data = await logs.read(opened, file, -TAIL_BYTES, TAIL_BYTES)
    except ServiceError as error:
        return LogView(trouble=error.message_ko if language == "ko" else error.message_en)
    return LogView(tuple(dict(files).items()), chosen, _ESCAPES.sub("", data.decode(errors="replace")), start > 0)
