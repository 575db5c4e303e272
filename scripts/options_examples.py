"""Made-up options, quotes, trades and indexes for the examples of the API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from app.db import Database, driver, writing
from app.records import Instrument
from app.services import partitions, reference, store

HOUR = timedelta(hours=1)
EXPIRIES = (datetime(2026, 3, 27, 8, tzinfo=UTC), datetime(2026, 5, 1, 8, tzinfo=UTC))
STRIKES = (70000, 80000, 85000, 90000, 95000, 100000, 120000)
Rows = Sequence[Mapping[str, Any]]


async def fill(db: Database, start: datetime) -> None:
    """Two expiries of seven strikes over three hours, an index of each kind, and some ticks of one option."""
    options = [
        Instrument(f"BTC-{expiry.day}{expiry:%b%y}-{strike}-{kind[0]}".upper(), "BTC", "BTC", kind="option",
                   margin="coin", expires_at=expiry, strike=float(strike), option_type=kind)
        for expiry in EXPIRIES for strike in STRIKES for kind in ("call", "put")
    ]  # fmt: skip
    indexes = [Instrument(name, "BTC", "USD", kind="index") for name in ("btc_usd", "BTC-DVOL")]
    await reference.put_instruments(db, "deribit", [*options, *indexes])
    series = await reference.series_of(db, "deribit", "deribit", ["option", "index"])
    for hour in range(3):
        time = start + hour * HOUR
        states = [{"series_id": series[option.symbol].id, "ts": time, **_state(option)} for option in options]
        await _put(db, "option_1m", states)
    one = series["BTC-27MAR26-90000-C"].id
    told = {"delta": 0.54, "gamma": 2.3e-05, "vega": 95.1, "theta": -85.2, "rho": 30.4}
    await _put(db, "greeks", [{"series_id": one, "ts": start + 2 * HOUR, **told}])
    price, volatility = (series[index.symbol].id for index in indexes)
    candle = {"open": 0.471, "high": 0.475, "low": 0.47, "close": 0.474}
    values = [{"series_id": price, "ts": start + hour * HOUR, "close": 90000.0 + hour} for hour in range(3)]
    candles = [{"series_id": volatility, "ts": start + hour * HOUR, **candle} for hour in range(3)]
    await _put(db, "index_price", values)
    await _put(db, "index_price", candles)
    await _put(db, "delivery_price", [{"series_id": price, "ts": start + 8 * HOUR, "price": 90008.5}])
    await _ticks(db, one, start)


def _state(option: Instrument) -> dict[str, float]:
    strike = option.strike or 0.0
    smile = round(0.45 + 3e-10 * (strike - 95000) ** 2, 6)
    return {"bid": 0.05, "ask": 0.052, "mark_price": 0.0511, "mark_iv": smile, "underlying_price": 90500.0,
            "index_price": 90250.0, "open_interest": 12.5, "volume_24h": 3.0}  # fmt: skip


async def _put(db: Database, fact: str, rows: Rows) -> None:
    await store.put(db, fact, [pa.RecordBatch.from_pylist([dict(row) for row in rows], store.SCHEMAS[fact])])


async def _ticks(db: Database, series: int, start: datetime) -> None:
    quotes = [(series, start + n * HOUR / 2, 0.05 + n / 1000, 0.052 + n / 1000, 5.0, 7.5) for n in range(5)]
    trades = [(series, start + n * HOUR / 2, n, f"{n}", 1 - 2 * (n % 2), 0.051, 0.5, 0.48) for n in range(1, 4)]
    book = (series, start + 2 * HOUR, 42, [0.05, 0.049], [5.0, 9.0], [0.052, 0.053], [7.5, 4.0])
    async with writing(db) as connection:
        copy = await driver(connection)
        for table, rows in {"option_tick": quotes, "option_trade": trades, "depth": [book]}.items():
            await partitions.provide(db, copy, table, {start})
            await copy.copy_records_to_table(table, records=rows, columns=COLUMNS[table])


COLUMNS = {
    "option_tick": ("series_id", "ts", "bid", "ask", "bid_amount", "ask_amount"),
    "option_trade": ("series_id", "ts", "trade_seq", "trade_id", "side", "price", "amount", "iv"),
    "depth": ("series_id", "ts", "change_id", "bid_prices", "bid_amounts", "ask_prices", "ask_amounts"),
}
