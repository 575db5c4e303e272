"""Calls against a real application on a real database with made-up facts, for the docs and the API's examples."""

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import sin
from shlex import quote
from typing import Any, cast

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from app.db import Database
from app.main import create_app
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
from app.settings import Settings
from scripts import options_examples

Operations = list[tuple[re.Pattern[str], str, str]]
DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOWN_ROWS = 2
EXCHANGES = {"binance": ("BTCUSDT", 8), "bybit": ("BTCUSDT", 8), "okx": ("BTC-USDT-SWAP", 8), "hyperliquid": ("BTC", 1)}
METRICS = (("defillama", "TVL", "instant"), ("defillama", "FEES_24H", "24h"), ("artemis", "TVL", "instant"))


@dataclass(frozen=True)
class Call:
    """One call: what it shows, and how it is made. The answer of a `volatile` one differs from run to run."""

    title: str
    path: str
    params: dict[str, str] = field(default_factory=dict[str, str])
    method: str = "GET"
    body: Any = None
    volatile: bool = False


@dataclass(frozen=True)
class Answered:
    """A call with the command line for it and what it answered."""

    title: str
    command: str
    operation: str | None
    body: Any
    shown: str
    volatile: bool


WINDOW = {"start": "2026-03-02T00:00:00Z", "end": "2026-03-02T03:00:00Z"}
OPTION, OPTIONS_AT = "BTC-27MAR26-90000-C", "2026-03-02T02:30:00Z"
HISTORY = {"source": "binance", "datasets": ["funding", "candles_1h"], "assets": ["BTC"], "days": 7}
CALLS = (
    Call("OI-weighted funding of BTC", "/funding/BTC", {"weighted": "oi", **WINDOW}),
    Call("What was in force at an instant, per year", "/funding/BTC", {"at": "2026-03-02T07:30:00Z", "per": "1y"}),
    Call("Settlements as they were paid", "/funding/BTC", {"per": "native", "exchanges": "binance,okx", **WINDOW}),
    Call("The market at an instant", "/funding", {"at": "2026-03-02T07:30:00Z", "assets": "BTC"}),
    Call("OI-weighted funding of every asset at an instant", "/funding",
         {"weighted": "oi", "at": "2026-03-02T07:30:00Z"}),
    Call("What a long position paid", "/funding/BTC/carry", {"notional": "10000", **WINDOW, "end": "2026-03-03"}),
    Call("What was predicted, and what was then paid", "/funding/BTC",
         {"kind": "predicted", "exchanges": "binance", **WINDOW, "end": "2026-03-03"}),
    Call("How far off predictions were", "/funding/BTC/prediction-error",
         {"exchanges": "binance", **WINDOW, "end": "2026-03-04"}),
    Call("Many instants in one call", "/lookup", {}, "POST",
         {"dataset": "funding", "per": "native",
          "rows": [{"time": "2026-03-02T07:30:00Z", "exchange": "binance", "asset": "BTC"},
                   {"time": "2026-03-02T07:30:00Z", "exchange": "hyperliquid", "asset": "BTC"},
                   {"time": "2025-01-01T00:00:00Z", "exchange": "binance", "asset": "BTC"}]}),
    Call("Spreads after fees, at an instant", "/spreads", {"at": "2026-03-02T07:30:00Z", "assets": "BTC"}),
    Call("The widest spread, by the hour", "/spreads/BTC", WINDOW),
    Call("One exchange less another", "/spreads/BTC",
         {"short": "hyperliquid", "long": "binance", "per": "1y", **WINDOW}),
    Call("Open interest, summed", "/open-interest/BTC", {"aggregate": "sum", **WINDOW}),
    Call("Candles of four hours", "/candles/BTC", {"interval": "4h", "start": "2026-03-02", "end": "2026-03-03"}),
    Call("Long wicks", "/wicks/BTC",
         {"side": "upper", "min_pct": "0.1", "interval": "1h", "start": "2026-03-02", "end": "2026-03-03"}),
    Call("Accounts long for each that is short", "/long-short/BTC", {"interval": "5m", **WINDOW}),
    Call("What takers bought and sold", "/taker-volume/BTC", {"interval": "15m", **WINDOW}),
    Call("Liquidations, each as told", "/liquidations/BTC", WINDOW),
    Call("Liquidations of long positions, by the hour", "/liquidations/BTC",
         {"side": "long", "interval": "1h", **WINDOW}),
    Call("Which assets have options, and how many", "/options", {"at": OPTIONS_AT}),
    Call("The options of an asset at an instant", "/options/BTC/chain", {"at": OPTIONS_AT, "expiry": "2026-03-27"}),
    Call("Its expiries", "/options/BTC/expiries", {"at": OPTIONS_AT}),
    Call("Implied volatility by strike", "/options/BTC/surface", {"at": OPTIONS_AT}),
    Call("Implied volatility by delta", "/options/BTC/surface", {"at": OPTIONS_AT, "by": "delta"}),
    Call("Term structure and skew, by the hour", "/options/BTC/term-structure", WINDOW),
    Call("Greeks as they were told", "/options/BTC/greeks", WINDOW),
    Call("Greeks by Black-76", "/options/BTC/greeks", {"at": OPTIONS_AT, "model": "black76"}),
    Call("What options were delivered at", "/options/BTC/deliveries", {**WINDOW, "end": "2026-03-03"}),
    Call("Candles of one option, of its trades", f"/options/instruments/{OPTION}/candles",
         {"interval": "1h", **WINDOW}),
    Call("Its quotes", f"/options/instruments/{OPTION}/quotes", WINDOW),
    Call("Its quotes as candles", f"/options/instruments/{OPTION}/quotes", {"interval": "1h", **WINDOW}),
    Call("Its trades", f"/options/instruments/{OPTION}/trades", WINDOW),
    Call("Its order book", f"/options/instruments/{OPTION}/depth", {"at": OPTIONS_AT, "levels": "2"}),
    Call("Its greeks", f"/options/instruments/{OPTION}/greeks", WINDOW),
    Call("The order book of any contract", f"/depth/deribit/{OPTION}", {"at": OPTIONS_AT}),
    Call("A price index", "/index/BTC", WINDOW),
    Call("A volatility index, a fraction", "/volatility-index/BTC", WINDOW),
    Call("Metrics of entities", "/metrics-catalog", {"source": "defillama"}),
    Call("Daily values of an asset", "/fundamentals/UNI",
         {"metric": "TVL", "start": "2026-03-01", "end": "2026-03-03"}),
    Call("The last values at an instant", "/fundamentals/UNI", {"at": "2026-03-02T07:30:00Z"}),
    Call("One metric as several sources tell it", "/compare",
         {"metric": "TVL", "assets": "UNI", "start": "2026-03-01", "end": "2026-03-03"}),
    Call("What is this called elsewhere?", "/resolve", {"id": "kPEPE"}),
    Call("One entity", "/entities/PEPE"),
    Call("All entities of a kind", "/entities", {"q": "pepe", "limit": "2"}),
    Call("Contracts", "/instruments", {"asset": "BTC", "exchange": "binance"}),
    Call("One contract", "/instruments/hyperliquid/BTC"),
    Call("Its funding intervals", "/instruments/hyperliquid/BTC/funding-intervals", volatile=True),
    Call("What was true of it, and when", "/instruments/bybit/BTCUSDT/facts", volatile=True),
    Call("Exchanges", "/exchanges"),
    Call("Slices of minutes", "/perpspecs", {"limit": "2"}, volatile=True),
    Call("Minutes by perpspec", "/perp-data/BTC", {"perpspecs": "bin-lsr,bin-tv", **WINDOW}),
    Call("Exchanges side by side, by the minute", "/perp-data/BTC",
         {"perpspecs": "bin-lsr,byb-lsr", "joined": "true", **WINDOW}),
    Call("Changes over 1, 5 and 10 minutes", "/rolling/BTC",
         {"perpspecs": "bin-lsr", "at": "2026-03-02T00:31:00Z"}),
    Call("All assets at one minute", "/rolling", {"where": "tbv_chg_5m>10", "fields": "tbv,tbv_chg_5m",
         "at": "2026-03-02T00:34:00Z"}),
    Call("Every minute in which something held", "/rolling",
         {"where": "lsr>1.7,lsr_chg_10m>5", "fields": "lsr,lsr_chg_10m", **WINDOW}),
    Call("Bring your own funding", "/funding", {}, "POST",
         [{"time": "2026-03-04T00:00:00Z", "exchange": "kraken", "asset": "BTC", "rate": 1e-05, "interval_hours": 1}]),
    Call("Bring your own open interest", "/open-interest", {}, "POST",
         [{"time": "2026-03-04T00:00:00Z", "exchange": "kraken", "asset": "BTC", "oi_usd": 50_000_000}]),
    Call("Bring your own candles; one of these is wrong", "/candles", {}, "POST",
         [{"time": f"2026-03-04T00:0{n}:00Z", "exchange": "kraken", "asset": "BTC",
           "open": 90000, "high": 90000 - n, "low": 89990, "close": 90000} for n in (0, 1)]),
    Call("Bring liquidations; of one of these it is not said whose position it was", "/liquidations", {}, "POST",
         [{"time": "2026-03-04T00:00:01.250Z", "exchange": "kraken", "asset": "BTC", "side": side, "price": 90000,
           "quantity": 0.5} for side in ("long", "sell")]),
    Call("Bring your own ratio of accounts", "/long-short", {}, "POST",
         [{"time": "2026-03-04T00:00:00Z", "exchange": "kraken", "asset": "BTC", "long_share": 0.6,
           "short_share": 0.4}]),
    Call("Bring what takers traded", "/taker-volume", {}, "POST",
         [{"time": "2026-03-04T00:00:00Z", "exchange": "kraken", "asset": "BTC", "buy_volume_base": 12.5,
           "sell_volume_base": 7.25}]),
    Call("Bring fields of a perpspec of your own; nobody has added one yet", "/perp-data", {}, "POST",
         [{"time": "2026-03-04T00:00:00Z", "exchange": "kraken", "asset": "BTC", "vwap": 90000}]),
    Call("Bring your own metrics; one of these has no value", "/fundamentals", {}, "POST",
         [{"time": "2026-03-04", "asset": "UNI", "metric": "Active wallets", "unit": "wallets", "value": value}
          for value in (1250, None)]),
    Call("Bring your own options; of one of these the volatility is percent", "/options", {}, "POST",
         [{"time": "2026-03-04T00:00:00.250Z", "exchange": "deribit", "instrument": "BTC-25DEC26-100000-C",
           "bid": 0.0715, "ask": 0.0725, "mark": 0.07211, "mark_iv": iv, "underlying": 91250.5, "delta": 0.39,
           "open_interest": 1520.5}
          for iv in (0.4782, 47.82)]),
    Call("Bring your own index prices", "/index", {}, "POST",
         [{"time": "2026-03-04T00:00:00Z", "exchange": "deribit", "instrument": name, "price": price}
          for name, price in (("btc_usd", 90010.25), ("BTC-DVOL", 0.4725))]),
    Call("An error", "/funding/BTK"),
    Call("Sources", "/sources"),
    Call("Datasets and the units of their fields", "/datasets"),
    Call("How fresh", "/quality/freshness", volatile=True),
    Call("How each source stands", "/quality/sources", volatile=True),
    Call("How much of what is expected is there", "/quality/coverage",
         {"asset": "BTC", "exchange": "okx", "dataset": "candles_1h,funding", **WINDOW}),
    Call("What is missing", "/quality/gaps", {"state": "open,unfillable"}, volatile=True),
    Call("How much is missing, and why", "/quality/gaps/summary", volatile=True),
    Call("Where two sources differ", "/quality/disagreements", {"asset": "BTC", **WINDOW, "end": "2026-03-03"}),
    Call("What was refused", "/quality/rejects", volatile=True),
    Call("What nobody is sure of", "/quality/unmapped", volatile=True),
    Call("A new entity", "/entities", {}, "POST",
         {"canonical_id": "example-coin", "name": "Example Coin", "symbol": "EXMPL", "type": "token"}),
    Call("Put it right", "/entities/example-coin", {}, "PUT", {"sector": "gaming"}),
    Call("Say what an exchange calls it", "/entities/example-coin/source-ids", {}, "POST",
         {"source": "binance", "source_id": "EXMPLUSDT"}),
    Call("Two that are one", "/entities/merge", {}, "POST", {"from": "local-exmpl", "into": "example-coin"}),
    Call("A slice of your own", "/perpspecs", {}, "POST", {"name": "bin-vwap", "fields": ["ts", "symbol", "vwap"]}),
    Call("Pull now", "/admin/pulls", {}, "POST", {"source": "binance", "dataset": "funding"}, volatile=True),
    Call("Pulls", "/admin/pulls", volatile=True),
    Call("Jobs", "/admin/jobs", volatile=True),
    Call("Live collectors", "/admin/collectors", volatile=True),
    Call("One pull", "/admin/pulls/2", volatile=True),
    Call("Pause a job", "/admin/jobs/binance:funding/pause", {}, "POST", volatile=True),
    Call("Resume a job", "/admin/jobs/binance:funding/resume", {}, "POST", volatile=True),
    Call("Run a job", "/admin/jobs/binance:funding/run", {}, "POST", volatile=True),
    Call("What a back-fill would do", "/admin/backfills", {"dry_run": "true"}, "POST", HISTORY, volatile=True),
    Call("Order it", "/admin/backfills", {}, "POST", HISTORY, volatile=True),
    Call("How far it has come", "/admin/backfills/2", volatile=True),
    Call("All back-fills", "/admin/backfills", volatile=True),
    Call("Stop it", "/admin/backfills/2/cancel", {}, "POST", volatile=True),
    Call("Go on with one that was stopped", "/admin/backfills/1/resume", {}, "POST", volatile=True),
    Call("What went wrong", "/admin/errors", {"order": "desc"}, volatile=True),
    Call("How much is stored", "/admin/storage", volatile=True),
    Call("How long the disk lasts", "/admin/storage/forecast", volatile=True),
    Call("What was brought, and by whom", "/admin/imports", {"order": "desc"}, volatile=True),
    Call("Take an import back", "/admin/imports/6", {}, "DELETE", volatile=True),
    Call("Alive?", "/health/live", volatile=True),
    Call("Ready?", "/health/ready", volatile=True),
)  # fmt: skip


async def filled(dsn: str) -> str:
    """Put the made-up facts in an empty database. Returns a key that may write and administer."""
    async with _application(dsn) as (app, client):
        return await _fill(app.state.database, client)


async def answered(dsn: str, key: str) -> list[Answered]:
    """All calls with their answers, from an application on a database with the made-up facts; some of them write."""
    async with _application(dsn) as (app, client):
        client.headers["Authorization"] = f"Bearer {key}"
        operations = _operations(app.openapi())
        return [await _answer(client, call, operations) for call in CALLS]


@asynccontextmanager
async def _application(dsn: str) -> AsyncGenerator[tuple[FastAPI, httpx.AsyncClient]]:
    app = create_app(Settings(scheduler=False, backfills=False, database_url=SecretStr(dsn)))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        client.headers["X-Request-ID"] = "example"
        yield app, client


async def _fill(db: Database, client: httpx.AsyncClient) -> str:
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


def _operations(document: dict[str, Any]) -> Operations:
    """Path pattern, method and operation id of every route, exact paths before those with parameters."""
    paths = sorted(document["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), verb.upper(), operation["operationId"])
        for path, verbs in paths
        for verb, operation in verbs.items()
    ]


async def _answer(
    client: httpx.AsyncClient, call: Call, operations: list[tuple[re.Pattern[str], str, str]]
) -> Answered:
    answer = await client.request(call.method, call.path, params=call.params, json=call.body)
    body = answer.json()
    found = (name for path, verb, name in operations if verb == call.method and path.fullmatch(call.path))
    operation = next(found, None) if answer.is_success else None
    body = _cut(body)
    shown = json.dumps(body, indent=1, ensure_ascii=False)
    return Answered(call.title, _command(call), operation, body, shown, call.volatile)


def _cut(body: Any) -> Any:
    """The first rows only."""
    if not isinstance(body, dict):
        return body
    told = cast("dict[str, Any]", body)
    return {**told, "data": told["data"][:SHOWN_ROWS]} if isinstance(told.get("data"), list) else told


def _command(call: Call) -> str:
    query = "&".join(f"{name}={value}" for name, value in call.params.items())
    url = f"127.0.0.1:8000{call.path}" + (f"?{query}" if query else "")
    if call.method == "GET":
        return f"curl {quote(url)}"
    if call.method == "DELETE":
        return f"curl -X DELETE -H 'Authorization: Bearer '$KEY {quote(url)}"
    verb = "" if call.method == "POST" else f"-X {call.method} "
    return (
        f"curl {verb}-H 'Authorization: Bearer '$KEY -H 'Content-Type: application/json' \\\n"
        f"  -d {quote(json.dumps(call.body))} {quote(url)}"
    )
