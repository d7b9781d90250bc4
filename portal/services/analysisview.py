"""An analysis as its page shows it: figures, charts, tables, JSON and images of S3, and the Operator that made them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Analysis
from portal.domain.analysisresult import (
    CHART,
    FIGURES,
    FILE,
    HEAD_BYTES,
    IMAGE,
    MAX_IMAGE_BYTES,
    MAX_SHOWN_BYTES,
    TABLE,
    ChartDocument,
    Grid,
    Unshown,
    chart_of,
    grid_of,
    image_type,
    kind_of,
    pretty,
)
from portal.domain.operatorfile import source_of
from portal.domain.permissions import Permission
from portal.services import analyses, models, operators
from portal.services.access import allowed, analysis_facts, workload_facts
from portal.services.audit import Actor
from portal.services.errors import NotFound, Unavailable
from portal.services.models import ModelFile
from portal.store.s3 import ObjectStore, StoreError

MAX_SHOWN_FILES = 24
SOURCE_BYTES = 64 << 10


@dataclass(frozen=True)
class Shown:
    """One file as it is shown; `why` (Korean, English) where it cannot be shown as what its name says."""

    file: ModelFile
    kind: str
    chart: ChartDocument | None = None
    grid: Grid | None = None
    text: str = ""
    why: tuple[str, str] | None = None


@dataclass(frozen=True)
class AnalysisDetail:
    """One analysis with everything around it; `source` is the Operator's entry, "" for those who may not have it.

    `storage_is_away`: the files are listed, and cannot be read now.
    """

    analysis: Analysis
    files: tuple[ModelFile, ...]
    shown: tuple[Shown, ...]
    source: str
    may_download: bool
    may_again: bool
    may_read_logs: bool
    storage_is_away: bool = False

    @property
    def refused(self) -> tuple[str, ...]:
        """What the run left and the portal did not take."""
        return tuple((self.analysis.manifest or {}).get("refused", ()))

    @property
    def image(self) -> str:
        """The image with its digest, "" before the results are stored."""
        return str((self.analysis.manifest or {}).get("lineage", {}).get("image", ""))

    @property
    def logs_href(self) -> str:
        """What the Operator printed."""
        return f"/workloads/{self.analysis.run_id}?tab=logs"


async def detail(session: AsyncSession, actor: Actor, store: ObjectStore, run_id: str) -> AnalysisDetail:
    """One analysis as it is shown. Raises NotFound."""
    analysis = await analyses.get(session, actor, run_id)
    files = analyses.files_of(analysis)
    may_download = allowed(actor, Permission.ANALYSIS_DOWNLOAD, analysis_facts(analysis))
    found: list[Shown] = []
    source, is_away = "", False
    try:
        for file in [file for file in files if kind_of(file.path) not in {FILE, FIGURES}][:MAX_SHOWN_FILES]:
            found.append(await _shown(store, file))
        if may_download:
            data = await operators.content(session, store, analysis.version)
            source = source_of(analysis.version.form, data, SOURCE_BYTES)
    except (StoreError, Unavailable):
        is_away = True
    return AnalysisDetail(
        analysis=analysis,
        files=files,
        shown=tuple(found),
        source=source,
        may_download=may_download,
        may_again=allowed(actor, Permission.WORKLOAD_ANALYSE, workload_facts(analysis.workload)),
        may_read_logs=allowed(actor, Permission.WORKLOAD_LOGS, workload_facts(analysis.run)),
        storage_is_away=is_away,
    )


def images_of(analysis: Analysis) -> tuple[ModelFile, ...]:
    """The files that are shown as images, by their names and sizes alone: nothing is read."""
    files = analyses.files_of(analysis)
    return tuple(file for file in files if kind_of(file.path) == IMAGE and file.size <= MAX_IMAGE_BYTES)


async def image(
    session: AsyncSession, actor: Actor, store: ObjectStore, run_id: str, path: str
) -> tuple[ModelFile, str, bytes]:
    """An image that the page shows, for whoever sees the page: the file, its media type, its bytes.

    Raises NotFound (also for what is no image), Unavailable.
    """
    analysis = await analyses.get(session, actor, run_id)
    found = next((file for file in images_of(analysis) if file.path == path), None)
    if found is None:
        raise NotFound("result", path)
    chunks = await models.open_file(store, found, 0, found.size, bucket=operators.BUCKET)
    data = b"".join([chunk async for chunk in chunks])
    try:
        return found, image_type(path, found.size, data), data
    except Unshown as error:
        raise NotFound("result", path) from error


async def _shown(store: ObjectStore, file: ModelFile) -> Shown:
    """The file read and taken for what its name says."""
    kind = kind_of(file.path)
    is_whole = file.size <= MAX_SHOWN_BYTES
    length = min(file.size, HEAD_BYTES if kind == IMAGE else MAX_SHOWN_BYTES)
    chunks = store.iter_bytes(operators.BUCKET, file.key, 0, length)
    data = b"".join([chunk async for chunk in chunks]) if length else b""
    try:
        if kind == TABLE:
            return Shown(file, kind, grid=grid_of(data, is_whole=is_whole))
        if kind == IMAGE:
            image_type(file.path, file.size, data)
            return Shown(file, kind)
        if not is_whole:
            raise Unshown(
                f"it has more than {MAX_SHOWN_BYTES >> 20} MB; download it",
                f"{MAX_SHOWN_BYTES >> 20}MB보다 커서 내려받아야 합니다",
            )
        return Shown(file, kind, chart=chart_of(data)) if kind == CHART else Shown(file, kind, text=pretty(data))
    except Unshown as error:
        return Shown(file, kind, why=(error.why_ko, error.why_en))
