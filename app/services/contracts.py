"""Reading one option, future or perpetual: candles, quotes, trades and order books."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db import Database
from app.services.candles import last_closed as last_closed
from app.services.queries import Query, sql

FIND = """
select i.id, e.slug as exchange, i.symbol, i.kind, i.entity_id, i.margin
from instrument i join exchange e on e.id = i.exchange_id
where e.slug = $1 and lower(i.symbol) = lower($2) and i.kind in ('option', 'future', 'perp', 'spot')
order by i.symbol <> $2, i.kind limit 1
"""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument of an exchange."""

    id: int
    exchange: str
    symbol: str
    kind: str
    entity_id: int | None
    margin: str | None

    @property
    def price_unit(self) -> str:
        """What its prices are in."""
        return "coin" if self.kind == "option" and self.margin == "coin" else "USD"

    @property
    def amount_unit(self) -> str:
        """What amounts of its quotes, trades and books are counted in."""
        return "USD" if self.kind != "option" and self.margin == "coin" else "coins"


@dataclass(frozen=True, slots=True)
class Told:
    """A contract as a source tells of it (None: whoever is preferred), with what was stored by an instant."""

    contract: Contract
    source: str | None = None
    known_at: datetime | None = None

    @property
    def narrow(self) -> tuple[object, ...]:
        """As all statements take it."""
        return self.source, self.known_at, self.contract.exchange, self.contract.symbol


async def find(db: Database, exchange: str, symbol: str) -> Contract | None:
    """The contract of this symbol, in any case."""
    row = await db.reads.fetchrow(FIND, exchange, symbol)
    return Contract(**dict(row)) if row else None


def candles_of(contract: Contract) -> tuple[str, ...]:
    """The facts that its candles are made of."""
    return ("option_1m" if contract.kind == "option" else "perp_1m", "option_trade")


async def is_only_quoted(db: Database, contract: Contract) -> bool:
    """Whether how it stood is stored, and neither a trade nor a candle of it."""
    minutes, trades = candles_of(contract)
    text = f"""
    select coalesce(bool_or(exists (select from {minutes} f where f.series_id = s.id)), false) and not bool_or(
      exists (select from {minutes} f where f.series_id = s.id and f.open is not null)
      or exists (select from {trades} f where f.series_id = s.id))
    from series s where s.instrument_id = $1
    """  # noqa: S608 - names of tables of ours
    return await db.reads.fetchval(text, contract.id)


def quotes_of(interval: timedelta) -> tuple[str, ...]:
    """The facts that quotes, or candles of them, are made of."""
    return ("option_tick", "option_tick_1h") if interval >= HOUR else ("option_tick",)


def candles(told: Told, start: datetime, end: datetime, interval: timedelta) -> Query:
    """Candles that open in `[start, end)`, of minutes or, where none were told, of trades."""
    arguments = (told.contract.id, start, end, interval, *told.narrow)
    return Query(sql("contracts", "candles"), arguments, start=1, end=2)


def candle_by(told: Told, moment: datetime, interval: timedelta) -> Query:
    """The candle that closed last at or before an instant."""
    found = candles(told, *last_closed(moment, interval), interval)
    return Query(found.text, found.arguments)


def quote_candles(told: Told, start: datetime, end: datetime, interval: timedelta) -> Query:
    """The best bid and ask as candles that open in `[start, end)`."""
    arguments = (told.contract.id, start, end, interval, *told.narrow)
    return Query(sql("contracts", "quote_candles"), arguments, start=1, end=2)


def quotes(told: Told, start: datetime, end: datetime) -> Query:
    """Each quote in `[start, end)`."""
    return Query(sql("contracts", "quotes"), (told.contract.id, start, end, *told.narrow), start=1, end=2)


def quote_by(told: Told, moment: datetime) -> Query:
    """The quote in force at an instant, at most a day old."""
    return Query(sql("contracts", "quote_by"), (told.contract.id, moment, *told.narrow))


def trades(told: Told, start: datetime, end: datetime) -> Query:
    """Each trade in `[start, end)`."""
    return Query(sql("contracts", "trades"), (told.contract.id, start, end, *told.narrow), start=1, end=2)


def trade_by(told: Told, moment: datetime) -> Query:
    """The last trade by an instant, at most a day before."""
    return Query(sql("contracts", "trade_by"), (told.contract.id, moment, *told.narrow))


def depth(told: Told, start: datetime, end: datetime, levels: int) -> Query:
    """Order books in `[start, end)`: so many of the best levels of each side."""
    return Query(sql("contracts", "depth"), (told.contract.id, start, end, *told.narrow, levels), start=1, end=2)


def depth_by(told: Told, moment: datetime, levels: int) -> Query:
    """The last order book by an instant, at most a day old."""
    return Query(sql("contracts", "depth_by"), (told.contract.id, moment, *told.narrow, levels))
