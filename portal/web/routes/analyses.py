"""Operators and what they found out: upload, run on a finished workload, list, show, download."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from litestar import MediaType, Request, get, post
from litestar.datastructures import State
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from pydantic import BaseModel, ConfigDict, Field

from portal.services import analyses, models, operators
from portal.services.analyses import AnalysisFilter
from portal.services.operators import OperatorLine
from portal.web.body import MAX_UPLOAD_BYTES
from portal.web.context import Asker, PageNumber, PageSize, Session, SiteSettings, page_document
from portal.web.filestream import file_answer
from portal.web.guards import DOWNLOAD, READ, SUBMIT
from portal.web.schemas_analysis import (
    analysis_detail,
    analysis_document,
    operator_document,
    operator_version_document,
)


@dataclass
class FileOperation(Operation):
    """OpenAPI: the body is the file itself."""

    def __post_init__(self) -> None:
        schema = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="A .py or .zip file.")
        self.request_body = RequestBody(
            content={"application/octet-stream": OpenAPIMediaType(schema=schema)}, required=True
        )


@get("/operators", guards=[SUBMIT])
async def list_operators(
    session: Session,
    actor: Asker,
    archived: Annotated[bool, QueryParameter(description="Archived ones too.")] = False,
) -> dict[str, Any]:
    """Your own Operators by name, each with its versions."""
    return {"items": [operator_document(line) for line in await operators.mine(session, actor, archived=archived)]}


@post(
    "/operators",
    guards=[SUBMIT],
    opt={"raw_body": True},
    operation_class=FileOperation,
    request_max_body_size=MAX_UPLOAD_BYTES,
)
async def upload_operator(
    request: Request[Any, Any, Any],
    session: Session,
    actor: Asker,
    settings: SiteSettings,
    filename: Annotated[
        str, QueryParameter(min_length=1, max_length=200, description="Its name; ends in .py or .zip.")
    ],
    name: Annotated[str, QueryParameter(max_length=128, description="The Operator's name; default: the file's.")] = "",
) -> dict[str, Any]:
    """Keep the body, a .py or .zip file, as an Operator or as the next version of the one of that name."""
    data = await request.body()
    version = await operators.upload(session, actor, settings, filename=filename, data=data, name=name)
    return operator_version_document(version)


@post("/operators/{operator_id:str}/archive", guards=[SUBMIT], status_code=200)
async def archive_operator(session: Session, actor: Asker, operator_id: FromPath[str]) -> dict[str, Any]:
    """Offer it no more; what it found out stays."""
    return await _archived(session, actor, operator_id, back=False)


@post("/operators/{operator_id:str}/restore", guards=[SUBMIT], status_code=200)
async def restore_operator(session: Session, actor: Asker, operator_id: FromPath[str]) -> dict[str, Any]:
    """Offer it again."""
    return await _archived(session, actor, operator_id, back=True)


async def _archived(session: Session, actor: Asker, operator_id: str, *, back: bool) -> dict[str, Any]:
    operator = await operators.archive(session, actor, operator_id, back=back)
    version = await operators.version_of(session, operator)
    return operator_document(OperatorLine(operator, (version,), 0))


class AnalyseBody(BaseModel):
    """Which of your Operators: `OP-A1B2C3`, or a version of it, `OP-A1B2C3:2`."""

    model_config = ConfigDict(extra="forbid")

    operator: Annotated[str, Field(max_length=32)]


@post("/workloads/{workload_id:str}/analyses", guards=[SUBMIT])
async def analyse(
    session: Session, actor: Asker, settings: SiteSettings, workload_id: FromPath[str], data: JSONBody[AnalyseBody]
) -> dict[str, Any]:
    """Run an Operator on a workload of your own that has completed."""
    return analysis_document(await analyses.start(session, actor, settings, workload_id, data.operator))


@get("/analyses", guards=[READ])
async def list_analyses(
    session: Session,
    actor: Asker,
    app: Annotated[str, QueryParameter(max_length=64, description="Of this App's runs.")] = "",
    workload: Annotated[str, QueryParameter(max_length=64, description="Of this workload.")] = "",
    operator: Annotated[str, QueryParameter(max_length=32, description="By this Operator.")] = "",
    status: Annotated[str, QueryParameter(max_length=16, description="waiting, running, completed or failed.")] = "",
    q: Annotated[str, QueryParameter(max_length=128, description="Part of a name or id.")] = "",
    mine: FromQuery[bool] = False,
    page: PageNumber = 1,
    size: PageSize = 50,
) -> dict[str, Any]:
    """The analyses that the asker may see, newest first."""
    wanted = AnalysisFilter(app=app, workload=workload, operator=operator, status=status, q=q, mine=mine)
    found = await analyses.page(session, actor, wanted, page, size)
    return page_document([analysis_document(item) for item in found.items], page, size, found.total)


@get("/analyses/{run_id:str}", guards=[READ])
async def show_analysis(session: Session, actor: Asker, run_id: FromPath[str]) -> dict[str, Any]:
    """One analysis with its manifest: files with sha256, the Operator, its image, the Slurm ids."""
    return analysis_detail(await analyses.get(session, actor, run_id))


@get("/analyses/{run_id:str}/files/{path:path}", guards=[DOWNLOAD], media_type=MediaType.TEXT)
async def analysis_file(
    request: Request[Any, Any, Any],
    state: State,
    session: Session,
    actor: Asker,
    run_id: FromPath[str],
    path: FromPath[str],
) -> Stream:
    """A file of the result, whole or one range."""
    file = await analyses.file_of(session, actor, run_id, path.removeprefix("/"))
    opener = partial(models.open_file, state.store, file, bucket=operators.BUCKET)
    return await file_answer(request, opener, name=file.name, size=file.size, tag=file.sha256, sha256=file.sha256)


ROUTES = [
    list_operators,
    upload_operator,
    archive_operator,
    restore_operator,
    analyse,
    list_analyses,
    show_analysis,
    analysis_file,
]
