"""What exists: exchanges, sources, datasets, contracts and their dated facts."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from app.api import openapi
from app.api.deps import CommonDep, DatabaseDep, InstantDep, Name, Names, Slug, Slugs, lower, nearest
from app.api.errors import NotFound, Wrong
from app.api.known import EXCHANGES, known_exchanges
from app.api.openapi import documented
from app.api.reference_rows import (
    DatasetRow,
    ExchangeRow,
    FactRow,
    InstrumentRow,
    IntervalRow,
    SourceRow,
)
from app.api.render import meta, render, render_known
from app.api.words import split
from app.db import Database
from app.services import generated, quality
from app.services.entities import find_assets

router = APIRouter()
TAG = "Reference"
Kind = Literal["perp", "future", "option", "spot", "index"]

NOBODY = {
    **dict.fromkeys(("key_setting", "disabled", "docs_url", "terms_url")),
    **dict.fromkeys(("pulled", "key_needed", "key_present"), False),
    "name": "generated data",
    "schedule": (),
    "generated": True,
}
"""Who tells what is generated."""

ExchangePath = Annotated[Slug, Path(description="An exchange, as `/exchanges` names it.")]
SymbolPath = Annotated[Name, Path(description="Native symbol of a contract, in any case; `/` in it as %2F.")]
AssetsParam = Annotated[Names, Query(description="Only of these assets; comma list or repeated.")]
ExchangesParam = Annotated[Slugs, Query(description="Only of these exchanges; comma list or repeated.")]
Kinds = Annotated[list[Annotated[Kind, lower]] | None, BeforeValidator(split)]
KindsParam = Annotated[Kinds, Query(description="Only these kinds; comma list or repeated.")]


@router.get("/exchanges", **documented(ExchangeRow, tag=TAG))
async def list_exchanges(db: DatabaseDep, common: CommonDep) -> Response:
    """Exchanges that are known, whether or not anything is stored of them."""
    return await render(db, quality.exchanges(), ExchangeRow, common, meta())


@router.get("/sources", **documented(SourceRow, tag=TAG))
async def list_sources(request: Request, db: DatabaseDep, common: CommonDep) -> Response:
    """Who tells us: what each is asked for and how often, whether it needs a key and has it, and its terms."""
    made_up = [{**NOBODY, "source": slug} for slug in await generated.sources(db)]
    return await render_known(db, [*request.app.state.sources, *made_up], SourceRow, common, meta())


@router.get("/datasets", **documented(DatasetRow, tag=TAG))
async def list_datasets(request: Request, db: DatabaseDep, common: CommonDep) -> Response:
    """What can be read, path by path: the kinds of rows and the unit of every field."""
    return await render_known(db, openapi.datasets(request.app), DatasetRow, common, meta())


@router.get("/instruments", **documented(InstrumentRow, 404, 409, tag=TAG))
async def list_instruments(
    db: DatabaseDep,
    common: CommonDep,
    asset: AssetsParam = None,
    exchange: ExchangesParam = None,
    kind: KindsParam = None,
    active: Annotated[bool | None, lower, Query(description="Only those that trade now, or only others.")] = None,
) -> Response:
    """Contracts, with their facts as they stand now."""
    await known_exchanges(db, exchange, "exchange")
    query = quality.instruments(entities=await find_assets(db, asset), exchanges=exchange, kinds=kind, active=active)
    return await render(db, query, InstrumentRow, common, meta())


@router.get("/instruments/{exchange}/{symbol:path}/funding-intervals", **documented(IntervalRow, 404, tag=TAG))
async def list_funding_intervals(
    db: DatabaseDep, common: CommonDep, moment: InstantDep, exchange: ExchangePath, symbol: SymbolPath
) -> Response:
    """The intervals a perpetual has settled in, with the evidence, beside what its exchange declared.

    An interval is read off the settlements: a shorter spacing is a change at once, a longer one when seen twice
    running, and a gap before that. What the exchange declares is dated from when it was first seen. With `at`: the
    history up to that instant; with `known_at`: as it stood then.
    """
    await _listed(db, exchange, symbol)
    query = quality.funding_intervals(exchange, symbol, moment.at, moment.known_at)

    async def why() -> str:
        by = "by known_at" if moment.known_at and not moment.pinned else "by at" if moment.at else "yet"
        return f"no rows: no settlement is known of it {by}, nor what its exchange declares"

    return await render(db, query, IntervalRow, common, meta(moment), why_empty=why)


@router.get("/instruments/{exchange}/{symbol:path}/facts", **documented(FactRow, 404, tag=TAG))
async def list_facts(db: DatabaseDep, common: CommonDep, exchange: ExchangePath, symbol: SymbolPath) -> Response:
    """What was true of a contract, from when to when: sides of open interest, contract size, multiplier and others."""
    await _listed(db, exchange, symbol)
    return await render(db, quality.instrument_facts(exchange, symbol), FactRow, common, meta())


@router.get("/instruments/{exchange}/{symbol:path}", **documented(InstrumentRow, 404, tag=TAG))
async def get_instrument(db: DatabaseDep, common: CommonDep, exchange: ExchangePath, symbol: SymbolPath) -> Response:
    """One contract; two rows where an exchange has a perpetual and a spot market of one symbol."""
    await _listed(db, exchange, symbol)
    query = quality.instruments(exchanges=[exchange], symbol=symbol)
    return await render(db, query, InstrumentRow, common, meta())


LISTED = """
select i.symbol from instrument i join exchange x on x.id = i.exchange_id where x.slug = $1
"""


async def _listed(db: Database, exchange: str, symbol: str) -> None:
    known: list[str] = [row["slug"] for row in await db.reads.fetch(EXCHANGES)]
    if exchange not in known:
        close = nearest(exchange, known)
        wrong = [Wrong("exchange", exchange, "no such exchange")]
        raise NotFound(f"No exchange {exchange}{_hint(close)}", code="unknown_exchange", errors=wrong, candidates=close)
    symbols: list[Any] = [row["symbol"] for row in await db.reads.fetch(LISTED, exchange)]
    if symbol.lower() not in {known.lower() for known in symbols}:
        close = nearest(symbol, symbols)
        wrong = [Wrong("symbol", symbol, "not listed there, as far as we know")]
        detail = f"No instrument {symbol} on {exchange}{_hint(close)}"
        raise NotFound(detail, code="unknown_instrument", errors=wrong, candidates=close)


def _hint(close: list[str]) -> str:
    return f". Did you mean {', '.join(close)}?" if close else ""
