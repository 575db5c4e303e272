"""How spreads are asked for: over which contracts, on which terms, at an instant or over a window."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from app.api.deps import CommonDep, DatabaseDep, Names, Window, lower
from app.api.errors import BadRequest, TooLarge, Wrong, bad_value
from app.api.funding_asking import PER_HOURS, Per
from app.api.known import known_exchanges
from app.api.perps import Asked, Exchanges, Grid, MarginParam, only
from app.api.times import At, End, KnownAt, Start, instant
from app.api.times import window as window_of
from app.api.words import nearest
from app.db import Database
from app.services import spreads
from app.services.entities import find_assets
from app.services.fees import OTHERS, Side, fee_table
from app.services.spreads import SMALLER_IS_BETTER, Contracts, Leg, Named, Pairs, Sort, Terms
from app.settings import EXCHANGE, FRACTION

FEE_RATE = re.compile(rf"(\*|{EXCHANGE}):({FRACTION})", re.ASCII)
LARGEST = 50_000_000
"""Pairs over all instants that are looked through for a threshold, or streamed: a few minutes of work."""
LEG = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*(:[^\x00-\x1f\x7f,]+)?$"

MinSpread = Annotated[
    float | None,
    Query(ge=-1e6, le=1e6, description="Least spread in `per`, inclusive, to nine digits."),
]
LegParam = Annotated[
    Annotated[str, Query(pattern=LEG, max_length=200)] | None,
    Query(description="`exchange`, its main contract, or `exchange:symbol`; with the other leg: short − long."),
]
Assets = Annotated[Names, Query(description="Only these assets; comma list or repeated.")]
FeesParam = Annotated[Side, lower, Query(description="Which fees are taken off: of takers, of makers, none.")]
FeeRates = Annotated[Names, Query(description="Your fees, `exchange:fraction` a trade; comma list or repeated.")]
MinOi = Annotated[float | None, Query(ge=0, le=1e15, description="Least open interest of the smaller leg, in USD.")]
Horizon = Annotated[float, Query(gt=0, le=87_600, description="Hours the position is held: fees are spread over them.")]
Lookback = Annotated[int, Query(ge=1, le=2160, description="Hours that persistence and realised_spread look back.")]
PairsParam = Annotated[
    Literal["best", "all"] | None, lower, Query(description="The best pair of an asset (default), or every pair.")
]
SortParam = Annotated[
    Sort,
    lower,
    Query(
        description="Rank by this, the best first (of fees, hours and ages the lowest), nulls last; or as `order` says."
    ),
]


def basis(per: str) -> float:
    """The hours rates are per. Raises BadRequest for `native`."""
    hours = PER_HOURS[per]
    if hours is None:
        raise bad_value("per", per, "a spread is of two rates on one basis: per=1h, 8h or 1y")
    return hours


def moment_or_window(
    common: CommonDep, start: Start = None, end: End = None, at: At = None, known_at: KnownAt = None
) -> Window:
    """An instant (now where none is named), or the window that `start` or `end` ask for."""
    if start is not None or end is not None:
        return window_of(common, start, end, at, known_at)
    return instant(common, at, known_at)


MomentOrWindowDep = Annotated[Window, Depends(moment_or_window)]


@dataclass(frozen=True, slots=True)
class Market:
    """Whose spreads are asked for, on which basis, and from which on (in `per`)."""

    contracts: Contracts
    per: str
    per_hours: float
    min_spread: float | None


async def market(
    db: DatabaseDep,
    window: MomentOrWindowDep,
    assets: Assets = None,
    exchanges: Exchanges = None,
    margin: MarginParam = "all",
    per: Per = "8h",
    min_spread: MinSpread = None,
) -> Market:
    """Find them. Raises what becomes 404 with the nearest names, or 409 with the candidates."""
    await known_exchanges(db, exchanges)
    entities = await find_assets(db, assets)
    contracts = Contracts(entities, only(exchanges), None if margin == "all" else margin, known_at=window.known_at)
    return Market(contracts, per, basis(per), min_spread)


MarketDep = Annotated[Market, Depends(market)]


async def terms(
    request: Request,
    db: DatabaseDep,
    common: CommonDep,
    market: MarketDep,
    pairs: PairsParam = None,
    fees: FeesParam = "taker",
    fee_rates: FeeRates = None,
    min_oi_usd: MinOi = None,
    horizon_hours: Horizon = 168.0,
    lookback_hours: Lookback = 168,
    sort: SortParam = "net_apr",
) -> Terms:
    """How they are to be ranked, with the fees of the settings and of the request."""
    settings = request.app.state.settings
    table = fee_table(fees, settings.fees, await _fee_rates(db, fees, fee_rates))
    ascending = common.order == "asc" if "order" in request.query_params else sort in SMALLER_IS_BETTER
    return Terms(
        table, settings.capacity_share, market.per_hours, horizon_hours, lookback_hours, market.min_spread,
        min_oi_usd or None, pairs == "all", sort, ascending,
    )  # fmt: skip


TermsDep = Annotated[Terms, Depends(terms)]
TERMS = ("pairs", "fees", "fee_rates", "min_oi_usd", "horizon_hours", "lookback_hours", "sort")


def of_a_ranking(request: Request) -> None:
    """Refuse parameters of a ranking beside a window: nothing asked for is passed over in silence."""
    for name in TERMS:
        if name in request.query_params:
            reason = "belongs to the ranking of one instant, which takes no start or end"
            raise bad_value(name, request.query_params[name], reason)


async def _fee_rates(db: Database, side: Side, words: Sequence[str] | None) -> Mapping[str, float]:
    if words and side == "none":
        raise bad_value("fee_rates", ",".join(words), "fees=none takes none off")
    found = {word: FEE_RATE.fullmatch(word.lower()) for word in words or ()}
    for word, read in found.items():
        if read is None:
            raise bad_value("fee_rates", word, "exchange:fraction expected, such as binance:0.0004 or *:0.0005")
    rates = {read[1]: float(read[2]) for read in found.values() if read}
    await known_exchanges(db, [name for name in rates if name != OTHERS], "fee_rates")
    return rates


async def answerable(db: Database, contracts: Contracts, instants: Grid, pairs: Pairs = "best") -> None:
    """Refuse a window whose every instant has to be looked at where that would take many minutes. Raises TooLarge."""
    found = await spreads.steps(db, contracts, instants.first, instants.last, instants.step, pairs)
    if found > LARGEST:
        raise TooLarge(
            f"{found:,} rates or pairs over all instants of this window, and {LARGEST:,} are answered: "
            "take a shorter window, a longer interval, pairs=best, or fewer exchanges or assets"
        )


async def named(db: Database, asked: Asked, pairs: str | None, short: str | None, long: str | None) -> Named | None:
    """The two legs a caller named; None: there are none. Raises BadRequest for one alone, or for twice the same."""
    if short is None and long is None:
        return None
    if short is None or long is None:
        raise bad_value("short" if short is None else "long", None, "short and long go together")
    if pairs is not None:
        raise bad_value("pairs", pairs, "short and long name the pair")
    legs = Named(await _leg(db, asked, "short", short), await _leg(db, asked, "long", long))
    if legs.short.exchange == legs.long.exchange and await _meant(db, asked, legs.short) == await _meant(
        db, asked, legs.long
    ):
        raise bad_value("long", long, "short and long name the same contract")
    return legs


async def _meant(db: Database, asked: Asked, leg: Leg) -> str | None:
    """The contract of a leg: an exchange alone means the main one."""
    return leg.symbol or next(iter(await spreads.symbols(db, asked.asset.id, leg.exchange)), None)


async def _leg(db: Database, asked: Asked, parameter: str, text: str) -> Leg:
    exchange, _, symbol = text.partition(":")
    await known_exchanges(db, [exchange.lower()], parameter)
    if not symbol:
        return Leg(exchange.lower())
    known = await spreads.symbols(db, asked.asset.id, exchange.lower())
    meant = [name for name in known if name == symbol] or [name for name in known if name.lower() == symbol.lower()]
    if not meant:
        reason = f"no perpetual of {asked.asset.asset} there has this symbol"
        raise BadRequest(
            f"{parameter}: {reason}", code="unknown_instrument", errors=[Wrong(parameter, text, reason)],
            candidates=[f"{exchange.lower()}:{name}" for name in nearest(symbol, known) or known[:3]],
        )  # fmt: skip
    return Leg(exchange.lower(), meant[0])
