"""One option, future or perpetual: candles, quotes, trades, order books and greeks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from app.api.candles import BucketInterval, CandleInterval
from app.api.contract_rows import ContractCandle, DepthRow, QuoteCandle, QuoteRow, TradeRow
from app.api.deps import CommonDep, DatabaseDep, Name, Slug, Window, WindowDep
from app.api.errors import NotFound, Wrong
from app.api.kept import kept
from app.api.known import known_exchanges, known_source
from app.api.openapi import documented
from app.api.option_rows import GreeksRow
from app.api.options import TAG, ModelParam, Step
from app.api.perps import MINUTE, STEPS, SourceParam, grid
from app.api.remembered import RememberedRoute
from app.api.render import Meta, WhyEmpty, meta, render
from app.api.schemas import Row, columns
from app.api.words import nearest
from app.db import Database
from app.services import contracts, options
from app.services.contracts import Contract, Told
from app.services.options import Options

router = APIRouter(route_class=RememberedRoute)

FILLED = "what was told last by then, at most 1d old"
LIKE = """
select i.symbol from instrument i join exchange e on e.id = i.exchange_id
where e.slug = $1 and i.kind <> 'index' and starts_with(lower(i.symbol), lower($2))
order by not i.active, i.symbol limit 2000
"""
InstrumentPath = Annotated[Name, Path(description="Native symbol of an option, future or perpetual, in any case.")]
Levels = Annotated[int, Query(ge=1, le=1000, description="How many of the best levels of each side.")]


async def named(db: Database, exchange: str, name: str) -> Contract:
    """The contract of this name. Raises NotFound with the nearest names."""
    found = await contracts.find(db, exchange, name)
    if found is None:
        like = await db.reads.fetch(LIKE, exchange, name.partition("-")[0])
        close = nearest(name, [row["symbol"] for row in like])
        hint = f". Did you mean {', '.join(close)}?" if close else ""
        wrong = [Wrong("name", name, "not listed there, as far as we know")]
        raise NotFound(
            f"No instrument {name} on {exchange}{hint}", code="unknown_instrument", errors=wrong, candidates=close
        )
    return found


async def told(
    db: DatabaseDep,
    name: InstrumentPath,
    window: WindowDep,
    exchange: Annotated[Slug, Query(description="Where it trades.")] = "deribit",
    source: SourceParam = None,
) -> Told:
    """Find the contract. Raises what becomes 404 with the nearest names."""
    await known_exchanges(db, [exchange], "exchange")
    await known_source(db, source)
    return Told(await named(db, exchange, name), source, window.known_at)


ToldDep = Annotated[Told, Depends(told)]


def _why(db: Database, facts: tuple[str, ...], told: Told, window: Window) -> WhyEmpty:
    return lambda: options.nothing_of(db, facts, [told.contract.id], window.start, window.end)


def _why_no_candles(db: Database, facts: tuple[str, ...], told: Told, window: Window) -> WhyEmpty:
    async def why() -> str | None:
        if await contracts.is_only_quoted(db, told.contract):
            return "no rows: no trades and no candles of it are stored"
        return await _why(db, facts, told, window)()

    return why


def _meta(shown: Window, row: type[Row], told: Told, *notices: str) -> Meta:
    """What has to be known, with the units that are this contract's own."""
    price, amount = told.contract.price_unit, told.contract.amount_unit
    exact = {field.name: price for field in columns(row) if (field.unit or "").startswith("as it is quoted")}
    exact |= {field.name: amount for field in columns(row) if (field.unit or "").startswith("as its exchange counts")}
    exact |= dict.fromkeys({"bids", "asks"} & exact.keys(), f"price: {price}, amount: {amount}")
    return meta(shown, units=exact, notices=notices)


@router.get("/options/instruments/{name}/candles", **documented(ContractCandle, 404, 410, tag=TAG))
async def instrument_candles(
    db: DatabaseDep, common: CommonDep, asked: ToldDep, window: WindowDep, interval: CandleInterval = "1m"
) -> Response:
    """Candles of one option, future or perpetual that open in the window; with `at`, the last one closed by then.

    They are made of the minutes told; an interval that none is told of is made of its trades (`made_of`).
    """
    length = STEPS[interval]
    facts = contracts.candles_of(asked.contract)
    shown, reason = await kept(db, facts, window, _why_no_candles(db, facts, asked, window), length)
    query = contracts.candles(asked, window.start, window.end, length)
    if window.at is not None:
        query = contracts.candle_by(asked, window.at, length)
    return await render(db, query, ContractCandle, common, _meta(shown, ContractCandle, asked), why_empty=reason)


@router.get("/options/instruments/{name}/quotes", **documented(QuoteRow, 404, 410, tag=TAG, others=(QuoteCandle,)))
async def instrument_quotes(
    db: DatabaseDep, common: CommonDep, asked: ToldDep, window: WindowDep, interval: BucketInterval = None
) -> Response:
    """Each best bid and ask of one option, future or perpetual; with `interval`, both as candles.

    With `at`, the quote in force then (at most a day old), or the last candle closed by then. Of quotes that retention
    removed the hours stay: intervals of an hour and more reach back over them.
    """
    row = QuoteRow if interval is None else QuoteCandle
    length = STEPS[interval] if interval else MINUTE
    facts = contracts.quotes_of(length)
    shown, reason = await kept(db, facts, window, _why(db, facts, asked, window), length if interval else None)
    if interval is not None:
        first, last = contracts.last_closed(window.at, length) if window.at else (window.start, window.end)
        query = contracts.quote_candles(asked, first, last, length)
    elif window.at is None:
        query = contracts.quotes(asked, window.start, window.end)
    else:
        query = contracts.quote_by(asked, window.at)
    return await render(db, query, row, common, _meta(shown, row, asked), why_empty=reason)


@router.get("/options/instruments/{name}/trades", **documented(TradeRow, 404, 410, tag=TAG))
async def instrument_trades(db: DatabaseDep, common: CommonDep, asked: ToldDep, window: WindowDep) -> Response:
    """Each trade of one option, future or perpetual; with `at`, the last one by then, at most a day before."""
    facts = ("option_trade",)
    shown, reason = await kept(db, facts, window, _why(db, facts, asked, window), None)
    query = contracts.trades(asked, window.start, window.end)
    if window.at is not None:
        query = contracts.trade_by(asked, window.at)
    return await render(db, query, TradeRow, common, _meta(shown, TradeRow, asked), why_empty=reason)


@router.get("/options/instruments/{name}/depth", **documented(DepthRow, 404, 410, tag=TAG))
async def instrument_depth(
    db: DatabaseDep, common: CommonDep, asked: ToldDep, window: WindowDep, levels: Levels = 20
) -> Response:
    """Order books of one option, future or perpetual; with `at`, the last one by then, at most a day old."""
    facts = ("depth",)
    shown, reason = await kept(db, facts, window, _why(db, facts, asked, window), None)
    query = contracts.depth(asked, window.start, window.end, levels)
    if window.at is not None:
        query = contracts.depth_by(asked, window.at, levels)
    return await render(db, query, DepthRow, common, _meta(shown, DepthRow, asked), why_empty=reason)


@router.get("/depth/{exchange}/{name:path}", **documented(DepthRow, 404, 410, tag=TAG))
async def depth(
    db: DatabaseDep,
    common: CommonDep,
    window: WindowDep,
    exchange: Annotated[Slug, Path(description="Where it trades.")],
    name: InstrumentPath,
    source: SourceParam = None,
    levels: Levels = 20,
) -> Response:
    """The same of any exchange."""
    await known_source(db, source)
    asked = Told(await named(db, exchange, name), source, window.known_at)
    return await instrument_depth(db, common, asked, window, levels)


@router.get("/options/instruments/{name}/greeks", **documented(GreeksRow, 404, 410, tag=TAG))
async def instrument_greeks(
    db: DatabaseDep,
    common: CommonDep,
    asked: ToldDep,
    window: WindowDep,
    model: ModelParam = "told",
    interval: Step = "1h",
) -> Response:
    """Greeks of one option as they were told; or (`model=black76`) computed of how it stood at every `interval`.

    With `at`, the last by then, at most a day old.
    """
    facts = ("greeks",) if model == "told" else options.SMILE_OF
    shown, reason = await kept(db, facts, window, _why(db, facts, asked, window), None)
    contract = asked.contract
    which = Options(contract.entity_id or 0, (contract.exchange,), asked.source, asked.known_at)
    if model == "black76":
        instants = grid(window, STEPS[interval], common, dense=False)
        query = options.greeks_black76(which, instants.first, instants.last, instants.step, contract.symbol)
    elif window.at is None:
        query = options.greeks(which, window.start, window.end, contract.id)
    else:
        query = options.greeks_by(which, window.at, contract.id)
    return await render(db, query, GreeksRow, common, meta(shown), why_empty=reason)
