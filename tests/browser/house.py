"""The scene's house: tokens, mappings that hold and one that does not, a checkup with a mismatch."""

from __future__ import annotations

from portal.daemon import doctor as daemon_doctor
from portal.daemon.mapping import check_due
from portal.db.engine import transaction
from portal.domain.findings import Code, Finding
from portal.services import accounts, doctor, tokens
from portal.services.doctor import Part, Result, Wishes
from portal.services.tokens import Scope
from tests.daemon.world import ADMIN_TOOL, World


async def furnish(world: World) -> None:
    """What an admin finds to look at."""
    async with transaction(world.maker) as session:
        for name, scopes in {"cluster-login": {Scope.READ, Scope.SUBMIT}, "notebook": {Scope.READ}}.items():
            await tokens.make_token(session, world.actors["kim"], "kim", name=name, scopes=scopes, days=90)
        old, _ = await tokens.make_token(
            session, world.actors["park"], "park", name="old", scopes={Scope.READ}, days=30
        )
        await tokens.revoke_token(session, world.actors["park"], old.id)
        await accounts.map_slurm(session, ADMIN_TOOL, "choi", "choi", "lab")
    await check_due(world.context)
    seen = (await daemon_doctor.examine(world.context, Wishes())).parts
    parts = tuple(Part("registry", False, "no route to host") if part.name == "registry" else part for part in seen)
    lost = Finding(Code.LIVE_AFTER_END, "job", "42", "completed", "RUNNING", "slurm", "W-A1B2C3")
    async with transaction(world.maker) as session:
        checkup = await doctor.ask(session, world.actors["admin"], Wishes(reconcile=True))
        await doctor.finish(session, checkup.id, Result(parts, (lost,), {"jobs": 14, "models": 2}))
