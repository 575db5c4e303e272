"""Perpspecs: which slices of minutes there are, and registering one."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, admin
from app.api.errors import BadRequest, Conflict, Unavailable, Wrong
from app.api.http import SmallBody
from app.api.openapi import documented
from app.api.paging import plain
from app.api.render import meta, render
from app.api.schemas import Envelope, Row, column, problems
from app.services import perpspecs
from app.services.perpspecs import BadPerpspec, MinutesBusy, Perpspec, PerpspecExists

router = APIRouter()
editing = APIRouter(dependencies=[Depends(admin)], route_class=SmallBody)
TAG = "Reference"


class PerpspecRow(Row):
    """A named slice of an exchange's minutes."""

    keys: ClassVar[tuple[str, ...]] = ("name",)

    name: str = column("How it is asked for.")
    exchange: str | None = column("Whose minutes; null: of every exchange.")
    kind: str = column("What it is of: ohlcv, oi, pfr, lsr, tv, lq, rsi, or as its user named it.")
    fields: list[str] = column("Its fields, in order; `meta.units` of an answer has their units.")
    interval: str = column("Length of what a row is of.")


Word = Annotated[str, Field(max_length=64)]


class PerpspecOrder(BaseModel):
    """A perpspec to register."""

    model_config = ConfigDict(extra="forbid")

    name: Word = Field(description="An exchange (bin, byb, okx, hyp, der, ext, lig or a slug), `-`, and what it is.")
    fields: list[Word] = Field(
        min_length=1, max_length=60, description="Its fields; one nobody has yet becomes a column. ts and symbol go."
    )
    exchange: Word | None = Field(default=None, description="The exchange its name says; null: that one.")
    kind: Word | None = Field(default=None, description="What it is of; null: what its name says.")
    interval: Word = Field(default="1m", description="Length of what a row is of: 1m.")


@router.get("/perpspecs", **documented(PerpspecRow, tag=TAG))
async def list_perpspecs(db: DatabaseDep, common: CommonDep) -> Response:
    """The slices of minutes that `/perp-data` and `/rolling` are asked for by name."""
    return await render(db, perpspecs.catalogue(), PerpspecRow, common, meta())


@editing.post(
    "/perpspecs",
    status_code=201,
    tags=[TAG],
    response_model=Envelope[PerpspecRow],
    responses={
        200: {"description": "The same was registered already", "model": Envelope[PerpspecRow]},
        **problems(400, 401, 403, 409, 413, 503),
    },
)
async def add_perpspec(request: Request, db: DatabaseDep, order: PerpspecOrder) -> Response:
    """Register a perpspec: it can be asked for and written at once, in every process, with nothing restarted."""
    told = Perpspec(order.name, tuple(order.fields), order.exchange, order.kind, order.interval)
    try:
        made = await perpspecs.add(db, told)
    except BadPerpspec as error:
        wrong = [Wrong(f"body.{error.part}", error.value, error.reason)]
        raise BadRequest(str(error), code="bad_perpspec", errors=wrong) from error
    except PerpspecExists as error:
        wrong = [Wrong("body.name", order.name, str(error))]
        raise Conflict(str(error), code="perpspec_exists", errors=wrong, candidates=[error.there.name]) from error
    except MinutesBusy as error:
        raise Unavailable(str(error), code="minutes_busy") from error
    response = await render(db, perpspecs.catalogue(order.name), PerpspecRow, plain(request), meta())
    response.status_code, response.headers["Cache-Control"] = 201 if made else 200, "no-store"
    return response
