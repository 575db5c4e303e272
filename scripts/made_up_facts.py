"""The made-up facts of the docs and of the API's examples, and a database filled with them."""

from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any

import httpx

from app.db import Database
from app.records import Instrument, Liquidation, Metric, PerpMinute, SourceAsset
from app.services import (
    backfills,
    batch,
    entity_edit,
    error_log,
    keys,
    log,
    metrics,
    reference,
    rollup,
    source_assets,
    store,
)
from scripts import options_examples

DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
EXCHANGES = {"binance": ("BTCUSDT", 8), "bybit": ("BTCUSDT", 8), "okx": ("BTC-USDT-SWAP", 8), "hyperliquid": ("BTC", 1)}
METRICS = (("defillama", "TVL", "instant"), ("defillama", "FEES_24H", "24h"), ("artemis", "TVL", "instant"))


async def fill(db: Database, client: httpx.AsyncClient) -> str:
    """Put them in an empty database. Returns a key that may write and administer."""
    key = await keys.create(db, "docs", ["write", "admin"])
    client.headers["Authorization"] = f"Bearer {key}"
    for exchange, (symbol, hours) in EXCHANGES.items():
        listed = Instrument(symbol, "BTC", "USDT", funding_interval_hours=float(hours), listed_at=DAY)
        await reference.put_instruments(db, exchange, [listed])
    for source, name, covers in METRICS:
        await metrics.put_catalogue(db, source, [Metric(name, name, "USD", "fundamental", "daily", covers)])
    told = {"funding": _funding() + _estimates(), "open-interest": _open_interest(), "candles": _candles()}
    for dataset, rows in {**told, "fundamentals": _fundamentals()}.items():
        (await client.post(f"/{dataset}", json=rows, params={"create_assets": "false"})).raise_for_status()
    await _minutes(db)
    await options_examples.fill(db, DAY + 24 * HOUR)
    await rollup.refresh(db)
    await _unmapped(db)
    await _pulled(db)
    await _cancelled(db)
    return key


async def _minutes(db: Database) -> None:
    """Three hours of what minutes tell beside candles, and some liquidations."""
    first, minute = DAY + 24 * HOUR, timedelta(minutes=1)
    told = [
        PerpMinute("BTCUSDT", first + n * minute,
                   {"long_short_ratio": round(1.6 + sin(n / 30) / 4, 4),
                    "buy_volume_base": round(5 + sin(n), 3), "sell_volume_base": round(5 - sin(n / 2), 3)})
        for n in range(180)
    ]  # fmt: skip
    events = [
        Liquidation("BTCUSDT", first + n * minute + timedelta(milliseconds=137 * n), "long" if n % 2 else "short",
                    90000.0 + n, round(0.1 + n / 100, 3))
        for n in range(7, 180, 20)
    ]  # fmt: skip
    for exchange in ("binance", "bybit"):
        listed = await reference.series_of(db, exchange, exchange)
        await store.put(db, "perp_1m", [batch.minutes(told, listed)])
        await store.put(db, "liquidation", [batch.columns(events, listed)[0]["liquidation"]])


async def _unmapped(db: Database) -> None:
    """A contract and a protocol nobody is sure of, and an entity that will turn out to be another."""
    await reference.put_instruments(db, "binance", [Instrument("EXMPLUSDT", "EXMPL", "USDT", listed_at=DAY)])
    listed = SourceAsset("protocol_slug", "lido-v2", "Lido V2", "LDO", "lido-dao")
    await source_assets.put_source_assets(db, "defillama", [listed])
    await entity_edit.create(db, "local-exmpl", "EXMPL", "XMPL", "token", None)


async def _pulled(db: Database) -> None:
    """Contracts listed, and one pull with one row refused, as the engine writes it down."""
    listing = await log.begin(db, "binance", "instruments")
    await log.finish(db, listing, "succeeded", log.Counts(requests=1, received=1, inserted=1), None)
    refused = log.Rejected("rate_out_of_range", "BTCUSDT", "rate 9.5 is past 1.0 an interval")
    pull = await log.begin(db, "binance", "funding")
    await log.reject(db, "binance", "funding", [refused])
    await log.finish(db, pull, "succeeded", log.Counts(requests=1, received=2, inserted=1, rejected=1), None)
    told = "binance answers 503 (3 times)"
    await error_log.note_error(db, "pull", "partial", told, "binance", "candles_1m", {"pull": pull})


async def _cancelled(db: Database) -> None:
    """A back-fill that was ordered and stopped."""
    days = {"start": _stamp(-24), "end": _stamp(0)}
    asked = {"request": days, "datasets": ["funding"], "assets": ["bitcoin"], "exchanges": [], **days}
    piece = backfills.Piece("funding", days)
    ordered = await backfills.order(db, "binance", asked, [piece], asked_by="command line")
    await backfills.cancel(db, ordered.id)
    await backfills.settle(db)


def _stamp(hours: float) -> str:
    return (DAY + hours * HOUR).isoformat().replace("+00:00", "Z")


def _funding() -> list[dict[str, Any]]:
    return [
        {"time": _stamp(h), "exchange": exchange, "instrument": symbol,
         "rate": round(1.25e-5 * step * (1 + sin(h / 9 + n) / 4), 10)}
        for n, (exchange, (symbol, step)) in enumerate(EXCHANGES.items())
        for h in range(0, 72, step)
    ]  # fmt: skip


def _estimates() -> list[dict[str, Any]]:
    """Every two hours what the next settlement may be, nearer the nearer it is; and now and then by an aggregator."""
    paid: dict[str, float] = {row["time"]: row["rate"] for row in _funding() if row["exchange"] == "binance"}
    estimates: list[dict[str, Any]] = [
        {"time": _stamp(h + 0.25), "exchange": "binance", "instrument": "BTCUSDT", "kind": "predicted",
         "for_time": _stamp(due), "interval_hours": 8,
         "rate": round(paid[_stamp(due)] * (1 + sin(h) * (due - h) / 80), 10)}
        for h in range(0, 64, 2)
        for due in [8 * (h // 8 + 1)]
    ]  # fmt: skip
    return estimates + [{**row, "source": "coingecko", "rate": round(row["rate"] * 1.03, 10)} for row in estimates[::8]]


def _open_interest() -> list[dict[str, Any]]:
    return [
        {"time": _stamp(h), "exchange": exchange, "instrument": symbol,
         "oi_base": 1000.0 * (n + 1), "oi_usd": 9e7 * (n + 1)}
        for n, (exchange, (symbol, _)) in enumerate(EXCHANGES.items())
        for h in range(72)
    ]  # fmt: skip


def _candles() -> list[dict[str, Any]]:
    return [
        {"time": _stamp(h), "exchange": "binance", "instrument": "BTCUSDT", "interval": "1h", "open": 90000 + h,
         "high": 90100 + h, "low": 89950 + h, "close": 90001 + h, "volume_base": 10.0, "volume_usd": 900000.0}
        for h in range(72)
    ]  # fmt: skip


def _fundamentals() -> list[dict[str, Any]]:
    return [
        {"time": _stamp(24 * day), "source": source, "asset": "UNI", "metric": name, "value": 4e9 + 1e8 * n + 1e7 * day}
        for n, (source, name, *_) in enumerate(METRICS)
        for day in range(3)
    ]
