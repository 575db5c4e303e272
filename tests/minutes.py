"""What the tests of collected minutes share: contracts on each exchange, and what their minutes ought to be."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app.db import Database
from app.ingest.spec import Source
from app.ingest.topics import topics_of
from app.records import Instrument
from app.services import reference
from tests.replayed import markets, sockets
from tests.replayed.markets import Market

MINUTE = timedelta(minutes=1)
EXCHANGES = ("binance", "bybit", "okx", "hyperliquid")
SYMBOLS = {"binance": "{}USDT", "bybit": "{}USDT", "okx": "{}-USDT-SWAP", "hyperliquid": "{}"}
OF_TRADES = ("bybit", "okx", "hyperliquid")
"""Exchanges whose taker volumes are added up from trades."""

Place = tuple[str, str, datetime]


def many(number: int, exchanges: Collection[str] = EXCHANGES) -> tuple[Market, ...]:
    """So many contracts on each exchange; of the first a quoted unit is a thousand coins, but on OKX."""
    found: list[Market] = []
    for exchange in exchanges:
        for place in range(number):
            base = f"C{place:03}" if place else {"okx": "PEPE", "hyperliquid": "kPEPE"}.get(exchange, "1000PEPE")
            found.append(
                Market(exchange, SYMBOLS[exchange].format(base), base, "USDT", 8, 10.0 + place, 1000.0 + place)
            )
    return tuple(found)


async def listed(db: Database, monkeypatch: pytest.MonkeyPatch, world: tuple[Market, ...]) -> None:
    """Have the replayed exchanges tell of these, and the store know them."""
    monkeypatch.setattr(markets, "MARKETS", world)
    for exchange in dict.fromkeys(market.exchange for market in world):
        size = 0.01 if exchange == "okx" else 1.0
        contracts = [
            Instrument(market.symbol, market.base, market.quote, contract_size=size, funding_interval_hours=8)
            for market in markets.of(exchange)
        ]
        await reference.put_instruments(db, exchange, contracts)


STORED = """
select x.slug as exchange, i.symbol, i.multiplier, m.ts, m.open, m.high, m.low, m.close, m.volume_base,
  m.buy_volume_base, m.sell_volume_base, m.oi_base, m.predicted_rate, m.mark_price
from perp_1m m join series s on s.id = m.series_id join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
"""
GAPS = """
select x.slug as exchange, i.symbol, g.dataset, g.first, g.last, g.state
from gap g join series s on s.id = g.series_id join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id where g.dataset = $1 order by g.id
"""


async def missing(db: Database, dataset: str) -> set[Place]:
    """The minutes in the ledger of gaps, one by one."""
    found: set[Place] = set()
    for row in await db.reads.fetch(GAPS, dataset):
        minutes = (row["last"] - row["first"]) // MINUTE
        found |= {(row["exchange"], row["symbol"], row["first"] + n * MINUTE) for n in range(minutes)}
    return found


def wrong_candles(rows: Iterable[dict[str, object]], minutes: Collection[datetime]) -> list[str]:
    """What differs between stored candles and those of the world; every contract has every minute once."""
    stored = {(row["exchange"], row["symbol"], row["ts"]): row for row in rows if row["close"] is not None}
    found: list[str] = []
    for market in markets.MARKETS:
        for minute in minutes:
            row = stored.get((market.exchange, market.symbol, minute))
            if row is None:
                found.append(f"{market.exchange} {market.symbol} {minute:%H:%M} is missing")
                continue
            unit = float(row["multiplier"])  # type: ignore[arg-type]
            opened, high, low, close, volume = map(float, sockets.bar(market, minute).values)
            told = [row[name] for name in ("open", "high", "low", "close", "volume_base")]
            right = [opened / unit, high / unit, low / unit, close / unit, volume * unit]
            if told != pytest.approx(right, rel=1e-12):
                found.append(f"{market.exchange} {market.symbol} {minute:%H:%M} is {told}, not {right}")
    return found


def topics(asked: Sequence[Source]) -> int:
    """How many topics there are to be subscribed for."""
    contracts = {one.id: [Instrument(m.symbol, m.base, m.quote) for m in markets.of(one.id)] for one in asked}
    return sum(len(topics_of(socket, contracts[one.id])) for one in asked for socket in one.sockets)


def without_limits(source: Source) -> Source:
    """The same source, which may be asked as often as its minutes pass."""
    budgets = {name: replace(budget, limit=1e9) for name, budget in source.budgets.items()}
    return replace(source, budgets=budgets)
