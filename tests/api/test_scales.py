"""The number an exchange sends and the number that is served: sides of open interest, and units of a thousand coins."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from app.db import Database
from app.ingest.sources import load
from app.ingest.spec import Window
from app.records import Instrument
from app.services import reference
from app.services.batch import columns
from app.services.store import put

HOUR = timedelta(hours=1)
CHANGE = datetime(2026, 6, 11, tzinfo=UTC)  # since when Bybit tells the single side
LISTED = {
    "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT",
    "launchTime": "1584230400000", "deliveryTime": "0", "fundingInterval": 480, "symbolType": "",
}  # fmt: skip


async def told(db: Database, source: str, dataset: str, body: Any, at: datetime, symbol: str | None = None) -> None:
    """Store what a source makes of a body: of one contract, or of all."""
    feed = load([source])[source].feed(dataset, "instrument" if symbol else "market")
    assert feed
    window = Window(at - 24 * HOUR, at, Instrument(symbol, symbol, "USDT") if symbol else None)
    records: Any = list(feed.rows(TypeAdapter(feed.answer).validate_python(body), window))
    if dataset == "instruments":
        await reference.put_instruments(db, source, records)
        return
    facts, unknown = columns(records, await reference.series_of(db, source, source))
    assert not unknown
    for fact, rows in facts.items():
        await put(db, fact, [rows])


def iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


async def served(client: httpx.AsyncClient, path: str, **asked: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def envelope(rows: list[Any], at: datetime) -> dict[str, Any]:
    result = {"category": "linear", "list": rows, "nextPageCursor": ""}
    return {"retCode": 0, "retMsg": "OK", "result": result, "time": ms(at)}


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


async def test_hyperliquid_counts_one_side_in_units_as_listed(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    universe = [{"name": "BTC"}, {"name": "kPEPE"}]
    contexts = [
        {"funding": "0.0000125", "openInterest": "28931.56264", "markPx": "80000.0"},
        {"funding": "0.0000125", "openInterest": "5000000.0", "markPx": "0.009"},
    ]
    body = [{"universe": universe}, contexts]
    for dataset in ("instruments", "open_interest"):
        await told(clean_database, "hyperliquid", dataset, body, CHANGE)
    now = {"at": iso(CHANGE)}
    (btc,), (pepe,) = [await served(client, f"/open-interest/{asset}", **now) for asset in ("BTC", "PEPE")]
    assert (btc["oi_base"], btc["oi_usd"]) == (28_931.56264, pytest.approx(28_931.56264 * 80_000))  # neither halved
    assert (pepe["oi_base"], pepe["oi_usd"]) == (5_000_000_000, pytest.approx(5_000_000 * 0.009))  # a thousand a unit
    for symbol, unit in (("BTC", 1), ("kPEPE", 1000)):
        (row,) = await served(client, f"/instruments/hyperliquid/{symbol}")
        assert (row["oi_sides"], row["multiplier"]) == (1, unit)


async def test_bybit_summed_both_sides_until_june_2026(client: httpx.AsyncClient, clean_database: Database) -> None:
    await told(clean_database, "bybit", "instruments", envelope([LISTED], CHANGE), CHANGE)
    both = {"openInterest": "52664.64200000"}
    rows = [
        {**both, "singleOpenInterest": "26332.321", "timestamp": str(ms(CHANGE))},
        {**both, "timestamp": str(ms(CHANGE - HOUR))},
        {"openInterest": "52000.00000000", "timestamp": str(ms(CHANGE - 2 * HOUR))},
    ]
    await told(clean_database, "bybit", "open_interest", envelope(rows, CHANGE), CHANGE + HOUR, "BTCUSDT")
    found = await served(client, "/open-interest/BTC", start=iso(CHANGE - 2 * HOUR), end=iso(CHANGE + HOUR))
    assert [row["oi_base"] for row in found] == [26_000, 26_332.321, 26_332.321]


@pytest.mark.parametrize(
    ("told_single", "usd"),
    [({}, 2_106_585_680.0), ({"singleOpenInterest": "26332.321", "singleOpenInterestValue": "2106500000"}, 2.1065e9)],
    ids=["before", "after"],
)
async def test_bybit_tickers_before_and_after(
    client: httpx.AsyncClient, clean_database: Database, told_single: dict[str, str], usd: float
) -> None:
    await told(clean_database, "bybit", "instruments", envelope([LISTED], CHANGE), CHANGE)
    both = {"openInterest": "52664.642", "openInterestValue": "4213171360", "fundingRate": "0.0001"}
    ticker = {"symbol": "BTCUSDT", "nextFundingTime": str(ms(CHANGE + 8 * HOUR)), **both, **told_single}
    await told(clean_database, "bybit", "open_interest", envelope([ticker], CHANGE), CHANGE)
    (row,) = await served(client, "/open-interest/BTC", at=iso(CHANGE))
    assert (row["oi_base"], row["oi_usd"]) == (26_332.321, usd)


async def test_since_when_bybit_tells_one_side(client: httpx.AsyncClient, clean_database: Database) -> None:
    later = {**LISTED, "symbol": "ETHUSDT", "baseCoin": "ETH", "launchTime": str(ms(CHANGE + 24 * HOUR))}
    unknown = {**LISTED, "symbol": "SOLUSDT", "baseCoin": "SOL", "launchTime": "0"}
    for _ in range(2):  # what was noted is not noted again
        await told(clean_database, "bybit", "instruments", envelope([LISTED, later, unknown], CHANGE), CHANGE)
    assert {row["oi_sides"] for row in await served(client, "/instruments", exchange="bybit")} == {1}
    launched = "2020-03-15T00:00:00Z"
    assert await sides(client, "BTCUSDT") == [("2", launched, iso(CHANGE)), ("1", iso(CHANGE), None)]
    assert await sides(client, "ETHUSDT") == [("1", iso(CHANGE + 24 * HOUR), None)]
    assert await sides(client, "SOLUSDT") == [("1", iso(CHANGE), None)]


async def sides(client: httpx.AsyncClient, symbol: str) -> list[tuple[str, str, str | None]]:
    rows = await served(client, f"/instruments/bybit/{symbol}/facts")
    assert {(row["kind"], row["source"]) for row in rows} == {("perp", "bybit")}
    return [(row["value"], row["from"], row["to"]) for row in rows if row["fact"] == "oi_sides"]


async def test_a_fact_that_changes_is_dated_when_it_is_seen(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    for hours in (8, 8, 4):
        listed = Instrument("BTCUSDT", "BTC", "USDT", funding_interval_hours=hours)
        await reference.put_instruments(clean_database, "binance", [listed])
    rows = await served(client, "/instruments/binance/btcusdt/facts")
    found = [(row["value"], row["to"]) for row in rows if row["fact"] == "funding_interval_hours"]
    first, second = (row["from"] for row in rows if row["fact"] == "funding_interval_hours")
    assert found == [("8", second), ("4", None)]
    assert first < second
    assert (await client.get("/instruments/binance/NOSUCH/facts")).status_code == 404
