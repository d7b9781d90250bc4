"""Deletes the files of models, or saves them again, as people asked for; both are safe to repeat."""

from __future__ import annotations

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
        asked = await modelfates.asked(session)
    await each(context, asked, _one)


async def _one(context: Context, model_id: int) -> None:
    async with reading(context.sessions) as session:
        model = await session.get_one(Model, model_id)
    if model.asked == modelfates.PURGE:
        await _purge(context, model)
    else:
        await _save(context, model)


async def _purge(context: Context, model: Model) -> None:
    objects = await context.store.list_keys(models.BUCKET, model.prefix + FILES)
    for info in objects:
        await context.store.remove(models.BUCKET, info.key)
    async with transaction(context.sessions) as session:
        modelfates.purged(session, await session.get_one(Model, model.id), len(objects))


async def _save(context: Context, model: Model) -> None:
    """`asked` stays until it is over: a daemon that dies meanwhile begins again."""
    async with transaction(context.sessions) as session:
        failed = update(Model).where(Model.id == model.id, Model.state == models.SAVE_FAILED)
        await session.execute(failed.values(state=models.SAVING, error=""))
    async with reading(context.sessions) as session:
        workload = await session.get_one(Workload, model.workload_id)
        attempt = workload.attempts[-1]
    await save_model(context, workload, attempt)
    async with transaction(context.sessions) as session:
        saved = await session.get_one(Model, model.id)
        if saved.state == models.SAVING:
            saved.state, saved.error = models.SAVE_FAILED, NO_FILES
        saved.asked = ""
