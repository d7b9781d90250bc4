"""A model's files to keep: one by one or all of them as a tar, whole or from where a broken download stopped."""

from __future__ import annotations

from functools import partial

from litestar import MediaType, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Stream

from portal.services import models
from portal.services.modeltar import tar_of
from portal.web.filestream import file_answer
from portal.web.pageguards import VISIT_DOWNLOAD
from portal.web.pages.modeladdress import HERE, MODEL, ModelHere


@get(
    f"{MODEL}/files/{{path:path}}",
    guards=[VISIT_DOWNLOAD],
    dependencies=HERE,
    media_type=MediaType.TEXT,
    include_in_schema=False,
)
async def model_file(state: State, here: ModelHere, path: FromPath[str]) -> Stream:
    """One file. Raises NotFound, Conflict, Unavailable."""
    file = await models.file_of(*here.which, path.removeprefix("/"))
    opener = partial(models.open_file, state.store, file)
    return await file_answer(here.request, opener, name=file.name, size=file.size, tag=file.sha256, sha256=file.sha256)


@get(
    f"{MODEL}/all.tar",
    guards=[VISIT_DOWNLOAD],
    dependencies=HERE,
    media_type=MediaType.TEXT,
    include_in_schema=False,
)
async def model_tar(state: State, here: ModelHere) -> Stream:
    """Every file in one tar. Raises NotFound, Conflict, Unavailable."""
    model, files = await models.all_files(*here.which)
    folder = f"{model.app_id}-v{model.version}"
    tar = tar_of(folder, files, model.created_at)
    return await file_answer(
        here.request, partial(tar.open, state.store), name=f"{folder}.tar", size=tar.size, tag=tar.tag
    )


ROUTES = [model_file, model_tar]
