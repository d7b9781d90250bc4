"""What one takes from a workload's page: its metrics as CSV, and for its owner the files of /one/out."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from portal.services import outfiles, workloads
from portal.web.address import MAX_ID
from portal.web.context import Asker, Session, SiteSettings
from portal.web.csvfile import csv_file
from portal.web.filestream import file_answer
from portal.web.pageguards import VISIT, VISIT_DOWNLOAD

WorkloadId = FromPath[str]
AttemptNumber = Annotated[int | None, QueryParameter(ge=1, le=MAX_ID, description="Default: the newest.")]


@get("/workloads/{workload_id:str}/metrics.csv", guards=[VISIT], include_in_schema=False)
async def metrics_csv(
    state: State, session: Session, actor: Asker, workload_id: WorkloadId, attempt: AttemptNumber = None
) -> Response[bytes]:
    """Every number that the components report, a row a value; long series are thinned as in the charts. Raises NotFound."""
    workload = await workloads.get(session, actor, workload_id)
    chosen = [one for one in workload.attempts if attempt in {None, one.number}]
    seen = await state.run_watch.look(workload, chosen[-1] if chosen else None)
    rows = (
        (step, name, x, value)
        for step, series in seen.series.items()
        for name, points in series.items()
        for x, value in points
    )
    return csv_file(f"{workload.id}-metrics.csv", ("component", "metric", "x", "value"), rows)


@get(
    "/workloads/{workload_id:str}/out/{path:path}",
    guards=[VISIT_DOWNLOAD],
    media_type=MediaType.TEXT,
    include_in_schema=False,
)
async def out_file(
    request: Request[Any, Any, Any],
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    workload_id: WorkloadId,
    path: FromPath[str],
    attempt: AttemptNumber = None,
) -> Stream:
    """A file that a component left, TASK/NODE/path, whole or one range. Raises NotFound, Forbidden, Unavailable."""
    file = await outfiles.find(session, actor, settings, workload_id, path.removeprefix("/"), attempt)
    return await file_answer(request, partial(outfiles.read, file), name=file.name, size=file.size, tag=file.tag)


ROUTES = [metrics_csv, out_file]
