"""The address of one model version, what stands behind it in a request, and how comparisons name it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from portal.db.models import Model
from portal.services import modelview
from portal.services.audit import Actor
from portal.services.errors import NotFound
from portal.services.modelview import ModelDetail
from portal.web.context import Asker, Session

MODEL = "/models/{app_id:str}/{name:str}/{number:str}"
_NUMBER = re.compile(r"v([1-9]\d{0,8})")


@dataclass(frozen=True)
class Here:
    """The version that the address of a request names, and who asks for it."""

    request: Request[Any, Any, Any]
    session: AsyncSession
    actor: Actor
    app_id: str
    number: str

    @property
    def version(self) -> int:
        """Raises NotFound: here and not in the dependency, whose failure would cancel the queries of those beside it."""
        match = _NUMBER.fullmatch(self.number)
        if match is None:
            raise NotFound("model", f"{self.app_id} {self.number}")
        return int(match[1])

    @property
    def which(self) -> tuple[AsyncSession, Actor, str, int]:
        """As the services ask for a version. Raises NotFound."""
        return self.session, self.actor, self.app_id, self.version

    async def detail(self) -> ModelDetail:
        """The version with everything around it. Raises NotFound."""
        return await modelview.detail(*self.which)


async def _here(
    request: Request[Any, Any, Any], session: Session, actor: Asker, app_id: FromPath[str], number: FromPath[str]
) -> Here:
    return Here(request, session, actor, app_id, number)


ModelHere = NamedDependency[Here]
HERE = {"here": Provide(_here)}
"""The dependencies of every route below MODEL."""


def model_path(model: Model) -> str:
    """The address of a version's page; the name in it is for people, App and number say which one."""
    name = model.name.replace("/", "-").strip(". ") or "-"
    return f"/models/{model.app_id}/{quote(name, safe='')}/v{model.version}"


def model_key(model: Model) -> str:
    """How the addresses of comparisons name a version."""
    return f"{model.app_id}:{model.version}"
