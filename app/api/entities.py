"""The master of entities: what each is and is called, and putting that right."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Name, Names, Slug, Slugs, admin, lower
from app.api.errors import BadRequest, Conflict, Wrong
from app.api.http import SmallBody
from app.api.known import known_source
from app.api.openapi import documented
from app.api.paging import plain
from app.api.reference_rows import Candidate, EntityDetail, EntityRow, MergedEntity
from app.api.render import meta, render, render_known
from app.api.schemas import Envelope, Row, problems
from app.api.words import Label, Symbol, Text
from app.db import Database
from app.services import entities, entity_edit, entity_merge
from app.services.entities import UnknownName, candidates, find_asset
from app.services.entity_match import OURS
from app.services.queries import Query as Statement

router = APIRouter()
editing = APIRouter(dependencies=[Depends(admin)], route_class=SmallBody)
TAG = "Reference"
RETYPED = "a coin, a share and an index are different kinds; force=true merges them all the same"

Asset = Annotated[Name, Path(description="Canonical id, symbol or any source's id of an entity, in any case.")]
SourcesParam = Annotated[Slugs, Query(description="Only what these sources know; comma list or repeated.")]
TypesParam = Annotated[Slugs, Query(description="Only these types; comma list or repeated.")]
SectorsParam = Annotated[Names, Query(description="Only these sectors; comma list or repeated.")]
EntityType = Annotated[Literal["chain", "protocol", "token", "stablecoin", "equity", "index"], lower]
Multiplier = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
IdType = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]


@router.get("/entities", **documented(EntityRow, tag=TAG))
async def list_entities(
    db: DatabaseDep,
    common: CommonDep,
    q: Annotated[Text | None, Query(description="Part of a name, symbol or canonical id, in any case.")] = None,
    type: TypesParam = None,
    sector: SectorsParam = None,
    source: SourcesParam = None,
) -> Response:
    """Coins, chains, protocols, stablecoins, equities and indices, whoever lists them."""
    sectors = sector and [word.lower() for word in sector]
    return await render(db, entities.search(q, type, sectors, source), EntityRow, common, meta())


@router.get("/entities/{asset}", **documented(EntityDetail, 404, 409, tag=TAG))
async def get_entity(db: DatabaseDep, common: CommonDep, asset: Asset) -> Response:
    """One entity: what sources call it, its contracts, and what data it has from when to when."""
    return await render(db, entities.one((await find_asset(db, asset)).id), EntityDetail, common, meta())


@router.get("/resolve", **documented(Candidate, 404, tag=TAG))
async def resolve(
    db: DatabaseDep,
    common: CommonDep,
    id: Annotated[Name, Query(description="Any name: canonical id, symbol, a source's id, an exchange's symbol.")],
    source: Annotated[Slug | None, Query(description="Only what this source or exchange calls so.")] = None,
) -> Response:
    """Which entity a name means, and how many of it. Several candidates are all listed: nothing is guessed."""
    found = await candidates(db, id, source)
    if not found:
        raise UnknownName(id, await entities.nearest(db, id))
    several = len({entity.id for entity in found}) > 1
    notices = ["several entities have this name: use a canonical_id"] if several else []
    return await render_known(db, [asdict(entity) for entity in found], Candidate, common, meta(notices=notices))


class Order(BaseModel):
    """Parent of the bodies of edits: no field but those declared."""

    model_config = ConfigDict(extra="forbid")


class EntityOrder(Order):
    """A new entity."""

    canonical_id: Slug = Field(description="Its stable id: lower case, of letters, digits, `-`, `_` and `.`.")
    name: Label = Field(description="Its name.")
    symbol: Symbol = Field(description="Its ticker; several entities may share one.")
    type: EntityType = Field(description="What it is.")
    sector: Label | None = Field(default=None, description="Its sector; null: not told.")


class Correction(Order):
    """What to put right; fields that are absent stay as they are."""

    name: Label | None = Field(default=None, description="Its name.")
    symbol: Symbol | None = Field(default=None, description="Its ticker; several entities may share one.")
    type: EntityType | None = Field(default=None, description="What it is.")
    sector: Label | None = Field(default=None, description="Its sector; null: none is known.")

    @field_validator("name", "symbol", "type")
    @classmethod
    def _told(cls, value: str | None) -> str:
        if value is None:
            raise ValueError("an entity has one; leave the field out to keep it")
        return value


class SourceIdOrder(Order):
    """What a source or an exchange calls an entity."""

    source: Slug = Field(description="The source or exchange.")
    source_id: Label = Field(description="The id there; of an exchange a native symbol.")
    source_id_type: IdType | None = Field(
        default=None, description="What kind of id it is; null: the kind that source has it as, or has most of."
    )
    multiplier: Multiplier | None = Field(
        default=None, description="How many of it one unit of that id stands for; null: as it is known, else 1."
    )
    move: bool = Field(default=False, description="Take it from another entity that has it.")


class MergeOrder(Order):
    """Two entities that are one."""

    from_: Name = Field(alias="from", description="The entity that is dropped.")
    into: Name = Field(description="The entity that stays.")
    force: bool = Field(default=False, description="Merge even different kinds: a coin into a share.")


def _edits(row: type[Row], *statuses: int, made: bool = False) -> dict[str, Any]:
    """Arguments of the decorator of a route that edits; `made`: it may answer 201."""
    location = {"headers": {"Location": {"schema": {"type": "string"}}}}
    created: dict[int | str, dict[str, Any]] = {201: {"description": "Made", "model": Envelope[row], **location}}
    responses = {**(created if made else {}), **problems(400, 401, 403, 413, *statuses)}
    return {"tags": [TAG], "response_model": Envelope[row], "responses": responses}


async def _answer(
    request: Request, db: Database, query: Statement, row: type[Row], status: int = 200, notices: Sequence[str] = ()
) -> Response:
    request.app.state.written.set()
    response = await render(db, query, row, plain(request), meta(notices=notices))
    response.status_code, response.headers["Cache-Control"] = status, "no-store"
    return response


async def _shown(
    request: Request, db: Database, entity: int, status: int = 200, notices: Sequence[str] = ()
) -> Response:
    """The entity as it stands now, with where it is to be found where something was made."""
    sharing = await entity_edit.sharing(db, entity)
    warned = [f"its name may also mean {', '.join(sharing)}: use canonical ids"] if sharing else []
    response = await _answer(request, db, entities.one(entity), EntityDetail, status, [*notices, *warned])
    if status == 201:
        canonical = await entity_edit.canonical_id(db, entity)
        response.headers["Location"] = f"{request.scope.get('root_path', '')}/entities/{quote(canonical, safe='')}"
    return response


@editing.post("/entities", status_code=201, **_edits(EntityDetail, 409, made=True))
async def create_entity(request: Request, db: DatabaseDep, order: EntityOrder) -> Response:
    """A new entity, as `GET /entities/{asset}` shows it. `Location` says where."""
    try:
        made = await entity_edit.create(db, **order.model_dump())
    except entity_edit.EntityExists as error:
        owner = error.canonical_id
        wrong = [Wrong("body.canonical_id", order.canonical_id, f"is {owner}")]
        detail = f"There is an entity {order.canonical_id} already: {owner}"
        raise Conflict(detail, code="entity_exists", errors=wrong, candidates=[owner]) from error
    return await _shown(request, db, made, 201)


@editing.put("/entities/{asset}", **_edits(EntityDetail, 404, 409))
async def correct_entity(request: Request, db: DatabaseDep, asset: Asset, order: Correction) -> Response:
    """Put right its name, symbol, type or sector. No restart and no list of the package undoes it."""
    found = await find_asset(db, asset)
    await entity_edit.correct(db, found.id, order.model_dump(exclude_unset=True))
    return await _shown(request, db, found.id)


@editing.post("/entities/{asset}/source-ids", **_edits(EntityDetail, 404, 409, made=True))
async def map_source_id(request: Request, db: DatabaseDep, asset: Asset, order: SourceIdOrder) -> Response:
    """Say what a source or an exchange calls an entity; 200 where the map had that id already.

    What is listed under that id, and contracts with their facts, are the entity's at once. Metric values that were
    stored under another entity stay there.
    """
    if order.source == OURS:
        raise _refused("source", order.source, "holds old names of merged entities", code="reserved_source")
    pulled = [source["source"] for source in request.app.state.sources]
    await known_source(db, order.source, "body.source", pulled)
    found = await find_asset(db, asset)
    told = entity_edit.SourceId(order.source, order.source_id, order.source_id_type, order.multiplier)
    try:
        mapped = await entity_edit.map_source_id(db, found.id, told, move=order.move)
    except entity_edit.SourceIdTaken as error:
        owners = ", ".join(error.owners)
        wrong = [Wrong("body.source_id", order.source_id, f"is of {owners}")]
        detail = f"{order.source_id} of {order.source} is of {owners}; move=true makes it {found.canonical_id}'s"
        raise Conflict(detail, code="source_id_taken", errors=wrong, candidates=error.owners) from error
    return await _shown(request, db, found.id, 201 if mapped.new else 200, mapped.notices)


@editing.post("/entities/merge", **_edits(MergedEntity, 404, 409))
async def merge_entities(request: Request, db: DatabaseDep, order: MergeOrder) -> Response:
    """Make everything of one entity another's, and drop it. Its names go on to mean the other; nothing is lost."""
    gone, into = await find_asset(db, order.from_), await find_asset(db, order.into)
    try:
        moved = await entity_merge.merge(db, gone.id, into.id, force=order.force)
    except entity_merge.SameEntity as error:
        raise _refused("from", order.from_, f"is {into.canonical_id} itself", code="same_entity") from error
    except entity_merge.DifferentKinds as error:
        wrong = [Wrong("body.from", order.from_, f"{gone.type} into {into.type}: {RETYPED}")]
        raise Conflict(wrong[0].reason, code="different_kinds", errors=wrong) from error
    return await _answer(request, db, entities.merged(into.id, asdict(moved)), MergedEntity)


def _refused(field: str, value: str, reason: str, *, code: str) -> BadRequest:
    return BadRequest(f"{field} {value} {reason}", code=code, errors=[Wrong(f"body.{field}", value, reason)])
