"""Deletes the files of models, or saves them again, as people asked for; both are safe to repeat."""

from __future__ import annotations

from functools import partial

from sqlalchemy import update

from portal.daemon.context import Context
from portal.daemon.rounds import each
from portal.daemon.saving import save_model
from portal.db.engine import reading, transaction
from portal.db.models import Model, Workload
from portal.services import modelfates, models
from portal.store.layout import FILES

NO_FILES = "the run directory holds no files of a model any more"


async def serve(context: Context) -> None:
    """One round; what S3 does not do now is tried again in the next."""
    async with reading(context.sessions) as session:
        asked = dict(await modelfates.asked(session))
    await each(context, asked, partial(_one, asked=asked))


async def _one(context: Context, model_id: int, *, asked: dict[int, str]) -> None:
    if asked[model_id] == modelfates.PURGE:
        await _purge(context, model_id)
    else:
        await _save(context, model_id)


async def _purge(context: Context, model_id: int) -> None:
    async with reading(context.sessions) as session:
        model = await session.get_one(Model, model_id)
    objects = await context.store.list_keys(models.BUCKET, model.prefix + FILES)
    for info in objects:
        await context.store.remove(models.BUCKET, info.key)
    async with transaction(context.sessions) as session:
        modelfates.purged(session, await session.get_one(Model, model_id), len(objects))


async def _save(context: Context, model_id: int) -> None:
    """`asked` stays until it is over: a daemon that dies meanwhile begins again."""
    async with transaction(context.sessions) as session:
        failed = update(Model).where(Model.id == model_id, Model.state == models.SAVE_FAILED)
        await session.execute(failed.values(state=models.SAVING, error=""))
    async with reading(context.sessions) as session:
        model = await session.get_one(Model, model_id)
        workload = await session.get_one(Workload, model.workload_id)
        attempt = workload.attempts[-1]
    await save_model(context, workload, attempt)
    async with transaction(context.sessions) as session:
        model = await session.get_one(Model, model_id)
        if model.state == models.SAVING:
            model.state, model.error = models.SAVE_FAILED, NO_FILES
        model.asked = ""
