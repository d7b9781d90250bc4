"""Every route as everybody, compared with docs/permissions.md; what must hold whatever the table says is checked beside it.

`make permissions` writes the tables anew from the running code: look at what changed before you commit it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from portal.db.engine import transaction
from portal.domain.lifecycle import State
from portal.domain.permissions import (
    SITE,
    AppFacts,
    ComponentFacts,
    ModelFacts,
    Object,
    Permission,
    Person,
    TokenFacts,
    WorkloadFacts,
    granted,
)
from portal.services import appmanage
from portal.services.tokens import Scope
from portal.web.guards import PUBLIC_PATHS
from tests.web.access_walk import PEOPLE, Walk, prepared
from tests.web.conftest import Site

DOCS = Path(__file__).parents[2] / "docs"
FILE, API = DOCS / "permissions.md", DOCS / "api.md"
ENDS_OTHERS = {("DELETE", "/api/v1/tokens/{token_id}")}
"""Asks for `read`, and for `approve` too where the token is another's, as it is in the walk."""
OWNERS_ALONE = {
    ("POST", "/api/v1/operators/{operator_id}/archive"),
    ("POST", "/api/v1/operators/{operator_id}/restore"),
    ("POST", "/api/v1/workloads/{workload_id}/analyses"),
}
"""An Operator, and a run to look at with it, are their owner's, and the admin who asks in the walk is not."""
OTHER_DOORS = {"before_sign_in": {"/api/v1/login", "/api/v1/login/token"}, "scrapes": {"/metrics"}}
"""Guards that ask for something else than a person, and the only routes that may have them."""
ANEW = bool(os.environ.get("ONE_WRITE_PERMISSIONS"))
RULES, ROUTES = "## What the rules say", "## What every route answers"
SIGNED_IN = PEOPLE[2:]
Table = dict[tuple[str, str], tuple[str, ...]]


async def test_every_route_answers_everybody_as_the_table_says(site: Site, small: dict[str, Any]) -> None:
    async with prepared(site, small) as walk:
        guards = {route: walk.guard(*route) for route in walk.routes()}
        found = {route: tuple([await walk.ask(who, *route) for who in PEOPLE]) for route in guards}
        hidden = await _private(walk)
    _compare(ROUTES, _routes(found, guards))
    _must_hold(found, guards)
    assert {route: said for route, said in hidden.items() if said not in ("403", "404")} == {}, "D6: it is not there"


async def test_every_api_route_wants_the_scope_that_it_declares_and_the_docs_name_it(
    site: Site, small: dict[str, Any]
) -> None:
    """An admin's token with all scopes but one, and with that one alone: what it opens is what the guard says."""
    async with prepared(site, small) as walk:
        routes = [route for route in walk.routes() if walk.guard(*route).startswith("requires(")]
        await walk.scoped({f"only {scope}": {scope} for scope in Scope})
        for route in routes:
            declared = walk.guard(*route).removeprefix("requires(").removesuffix(")")
            wanted = declared.partition(",")[0]
            opened = {scope.value for scope in Scope if await walk.ask(f"only {scope}", *route) != "403"}
            assert opened == (set() if route in ENDS_OTHERS | OWNERS_ALONE else {wanted}), (route, opened)
            assert _in_the_docs(*route) == declared, f"docs/api.md, {route}"


def _in_the_docs(method: str, path: str) -> str:
    """What the table of docs/api.md says that a route asks for."""
    rows = [line.split("|") for line in API.read_text().splitlines() if line.startswith(f"| `{method} {path}`")]
    assert len(rows) == 1, (method, path)
    return rows[0][2].strip()


def test_the_rules_are_those_of_the_table() -> None:
    _compare(RULES, _rules())


async def _private(walk: Walk) -> dict[tuple[str, str], str]:
    """What a stranger is told of things whose App is private."""
    async with transaction(walk.site.world.maker) as session:
        for app_id in (walk.places["app_id"], "APP-LARGE1"):
            kim = walk.site.world.actors["kim"]
            await appmanage.share(session, kim, app_id, visibility="private", share_logs=False)
    told = {}
    for method, path in walk.routes():
        named = "{app_id}" in path or "{workload_id}" in path
        if named and not path.endswith(("/compare", "/compare.csv")):
            told[method, path] = await walk.ask("researcher", method, path)
    return told


def _must_hold(found: Table, guards: dict[tuple[str, str], str]) -> None:
    """Whatever is written down."""
    for route, said in found.items():
        by = dict(zip(PEOPLE, said, strict=True))
        assert not any("fault" in one for one in said), (route, by)
        if guards[route] == "public":
            assert route[1] in {re.sub(r":\w+}", "}", path) for path in PUBLIC_PATHS}, route
            continue
        if guards[route] in OTHER_DOORS:
            assert route[1] in OTHER_DOORS[guards[route]], route
            continue
        for nobody in ("anonymous", "deactivated"):
            # A change without a form token of this very browser is refused before anybody is looked for.
            assert by[nobody] in ("sign in", "403"), (route, by)
        if "admin" in guards[route]:
            assert {by[who] for who in SIGNED_IN[:-1]} == {"403"}, (route, by)
        if "submit" in guards[route] or "download" in guards[route]:
            assert by["viewer"] == "403", (route, by)
        if by["researcher"] == "in" and "{session_id}" not in route[1]:
            assert (by["owner"], by["admin"]) == ("in", "in"), (route, by)


def _routes(found: Table, guards: dict[tuple[str, str], str]) -> Iterable[str]:
    yield f"| route | asks for | {' | '.join(PEOPLE)} |"
    yield "|---" * (2 + len(PEOPLE)) + "|"
    for (method, path), said in found.items():
        yield f"| `{method} {path}` | {guards[method, path]} | {' | '.join(said)} |"


def _rules() -> Iterable[str]:
    who = {
        "viewer": Person(1, "viewer"),
        "researcher": Person(1, "researcher"),
        "co-editor": Person(2, "researcher"),
        "owner": Person(3, "researcher"),
        "admin": Person(4, "admin"),
    }
    yield f"| permission | {' | '.join(who)} |"
    yield "|---" * (1 + len(who)) + "|"
    for permission in Permission:
        yield f"| `{permission}` | {' | '.join(_reach(permission, person) for person in who.values())} |"


def _reach(permission: Permission, person: Person) -> str:
    open_ones, private = ({one for thing in _things(lab) for one in granted(person, thing)} for lab in (True, False))
    return "yes" if permission in private else "lab-visible" if permission in open_ones else "–"


def _things(lab_visible: bool) -> Iterable[Object]:
    """Things of person 3, which person 2 co-edits, in every state."""
    app = AppFacts(3, lab_visible, co_editors=frozenset({2}))
    yield from (SITE, app, ModelFacts(3, app), ComponentFacts(3), TokenFacts(3))
    for state in State:
        yield WorkloadFacts(3, app, state, needs_approval=True)


def _compare(head: str, lines: Iterable[str]) -> None:
    """The table under this heading is the one made now; `make permissions` puts it there."""
    made, text = list(lines), FILE.read_text().splitlines()
    start = next(at for at in range(text.index(head), len(text)) if text[at].startswith("|"))
    end = next((at for at in range(start, len(text)) if not text[at].startswith("|")), len(text))
    if ANEW:
        FILE.write_text("\n".join([*text[:start], *made, *text[end:]]) + "\n")
        return
    differs = "\n".join(sorted(set(made) ^ set(text[start:end])))
    assert made == text[start:end], f"docs/permissions.md is stale, see `make permissions`:\n{differs}"
