"""What routes are given: the database, the caller's rights, and a question without words nobody knows."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from fastapi import Depends, Request, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.errors import BadRequest, Forbidden, Unauthorized, Wrong, shown
from app.api.paging import Common as Common
from app.api.paging import CommonDep as CommonDep
from app.api.times import InstantDep as InstantDep
from app.api.times import PeriodDep as PeriodDep
from app.api.times import Time as Time
from app.api.times import Window as Window
from app.api.times import WindowDep as WindowDep
from app.api.words import Name as Name
from app.api.words import Names as Names
from app.api.words import Slug as Slug
from app.api.words import Slugs as Slugs
from app.api.words import lower as lower
from app.api.words import nearest
from app.db import Database
from app.services import keys

Scope = Literal["read", "write", "admin"]
_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="A key of `perpstore keys create`.")


def database(request: Request) -> Database:
    """The open database of this application."""
    return request.app.state.database


DatabaseDep = Annotated[Database, Depends(database)]


_declared: dict[Callable[..., Any], Mapping[str, bool]] = {}


def _query_parameters(route: APIRoute) -> Mapping[str, bool]:
    """The query parameters of a route, and which of them are lists."""
    if route.endpoint not in _declared:
        fields = [field for field in get_flat_params(route.dependant) if isinstance(field.field_info, Query)]
        _declared[route.endpoint] = {field.alias: _is_list(field.field_info.annotation) for field in fields}
    return _declared[route.endpoint]


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))


def known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not declare, and several values for what takes one."""
    if not request.url.query:
        return
    known = _query_parameters(cast(APIRoute, request.scope["route"]))
    given = request.query_params
    strange = [_strange(name, given[name], list(known)) for name in given if name not in known]
    twice = [
        Wrong(name, shown(",".join(given.getlist(name))), "given more than once")
        for name in given
        if known.get(name) is False and len(given.getlist(name)) > 1
    ]
    wrong = [*(found for found, _ in strange), *twice]
    if wrong:
        code = "unknown_parameter" if strange else "repeated_parameter"
        meant = [close for _, candidates in strange for close in candidates]
        raise BadRequest(
            "; ".join(f"{w.parameter}: {w.reason}" for w in wrong[:3]), code=code, errors=wrong, candidates=meant
        )


def _strange(name: str, value: str, known: list[str]) -> tuple[Wrong, list[str]]:
    close = nearest(name, known, 1, 0.6)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}" if known else "there are none here"
    return Wrong(shown(name) or "", shown(value), f"unknown parameter; {hint}"), close


async def _key(db: Database, told: HTTPAuthorizationCredentials | None) -> keys.Key:
    if told is None:
        raise Unauthorized("A key is needed: Authorization: Bearer <key>. `perpstore keys create` makes one")
    found = await keys.check(db, told.credentials)
    if found is None:
        raise Unauthorized("This key is not known, or was revoked", code="key_unknown")
    return found


def _demand(key: keys.Key, scope: Scope) -> keys.Key:
    if not key.may(scope):
        raise Forbidden(f"This key has no scope {scope}, only {', '.join(key.scopes)}")
    return key


Told = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def writer(db: DatabaseDep, told: Told) -> keys.Key:
    """The key of a caller who may write."""
    return _demand(await _key(db, told), "write")


async def admin(db: DatabaseDep, told: Told) -> keys.Key:
    """The key of a caller who may administer."""
    return _demand(await _key(db, told), "admin")


async def reader(request: Request, db: DatabaseDep) -> None:
    """Let everybody read, unless a setting says that reading needs a key."""
    if request.app.state.settings.read_requires_key:
        _demand(await _key(db, await _bearer(request)), "read")


WriterDep = Annotated[keys.Key, Depends(writer)]
AdminDep = Annotated[keys.Key, Depends(admin)]
