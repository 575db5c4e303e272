"""The contracts of one currency: what there is, and of which there are quotes and books."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.ingest.engine import Engine
from app.ingest.jobs import list_first, run
from app.ingest.spec import Source
from app.ingest.ticks import choosing
from app.ingest.ticks.choosing import Standing
from app.ingest.work import Order
from app.records import Instrument, Kind
from app.services import collectors, reference
from app.services.reference import SeriesRef
from app.settings import top_instruments

KINDS: tuple[Kind, ...] = ("perp", "future", "option")
LISTED_EVERY, LISTED_AFTER_EXPIRY = timedelta(minutes=55), timedelta(minutes=1)
CHAIN = timedelta(minutes=15)
"""An older chain does not tell what is traded now."""


@dataclass(frozen=True, slots=True)
class Family:
    """Contracts that can be traded and the series of all there ever were, by symbol; `wanted` are told of by quotes."""

    contracts: Mapping[str, Instrument] = field(default_factory=dict[str, Instrument])
    series: Mapping[str, SeriesRef] = field(default_factory=dict[str, SeriesRef])
    wanted: tuple[str, ...] = ()


def listing_age(now: datetime) -> timedelta:
    """How old the list of contracts may be: right after 08:00 UTC there are new ones."""
    return LISTED_AFTER_EXPIRY if now.hour == choosing.EXPIRY.seconds // 3600 else LISTED_EVERY


async def family_of(
    engine: Engine, source: Source, currency: str, before: Family, not_older: timedelta | None
) -> Family:
    """The contracts of a currency; asked for anew where that was done longer ago than `not_older` (None: never)."""
    if not_older is not None:
        await list_first(engine, source, not_older)
    listed = await reference.instruments(engine.db, source.id, KINDS)
    series = await reference.series_of(engine.db, source.id, source.id, KINDS)
    contracts = choosing.of_family(listed, currency)
    of_currency = {symbol: one.base.upper() == currency for symbol, one in listed.items()}
    return Family(contracts, {s: ref for s, ref in series.items() if of_currency.get(s)}, before.wanted)


async def with_expired(
    engine: Engine, source: Source, currency: str, family: Family, traded: Iterable[str], now: datetime
) -> Family:
    """The same with those of the contracts traded that had expired before any list told of them."""
    told = source.trades and source.trades.expiring
    unknown = {symbol for symbol in traded if symbol not in family.series}
    terms = [one for symbol in sorted(unknown) if told and (one := told(symbol))]
    gone = [one for one in terms if one.expires_at and one.expires_at <= now and one.base == currency]
    if not gone:
        return family
    await reference.put_instruments(engine.db, source.id, gone)
    return await family_of(engine, source, currency, family, None)


async def chosen(engine: Engine, source: Source, currency: str, family: Family, now: datetime) -> Family:
    """Of which contracts there are to be quotes and books from now on. Raises ValueError: see `top_instruments`."""
    standings = await _standings(engine, source, currency, now)
    if source.feed("option_chain") and not any(one.volume is not None for one in standings):
        await run(engine, source, "option_chain", Order())
        standings = await _standings(engine, source, currency, engine.web.now())
    known = [one for one in standings if one.symbol in family.contracts]
    options = choosing.best(choosing.ranked(known), family.wanted, top_instruments(currency))
    return replace(family, wanted=(*choosing.hedges(family.contracts.values(), now), *options))


async def _standings(engine: Engine, source: Source, currency: str, now: datetime) -> list[Standing]:
    rows = await collectors.options(engine.db, source.id, currency, now - CHAIN, now)
    return [Standing(*row) for row in rows]
