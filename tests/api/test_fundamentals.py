"""Metrics of entities over HTTP: the catalogue, one asset's values in every form, and sources side by side."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from statistics import median
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from app.api.times import utc_now
from app.db import Database
from app.records import HOUR_COLUMNS, Metric
from tests.api.test_funding import iso, read
from tests.api.test_writing import as_csv, as_json, as_ndjson, as_parquet, post
from tests.db.facts import DAY, at
from tests.db.metrics import CHANGE, CLOSE, OI, TVL, in_catalogue, learnt_after, tell, tell_hours

HOUR, ONE_DAY = timedelta(hours=1), timedelta(days=1)
WEEK = {"start": iso(DAY), "end": iso(DAY + 7 * ONE_DAY)}
Rows = list[dict[str, Any]]


async def rows(client: httpx.AsyncClient, path: str, **params: object) -> Rows:
    found: Any = (await read(client, path, **params))["data"]
    return found


def days(*values: float) -> dict[Any, float]:
    return {DAY + n * ONE_DAY: value for n, value in enumerate(values)}


@pytest.fixture
async def told(clean_database: Database) -> Database:
    """TVL as two sources tell it, its change, and hours of three perpetuals of BTC."""
    await tell(clean_database, "defillama", TVL, days(10.0, 20.0, 30.0))
    await tell(clean_database, "defillama", CHANGE, days(-0.5, 0.0))
    await tell(clean_database, "artemis", Metric("TVL_USD", "TVL", "USD", "fundamental", "daily", "instant"), days(11))
    await in_catalogue(clean_database, "velo", CLOSE, OI)
    hours = {"close": {0.0: 100.0, 1.0: 101.0}, "oi_usd_close": {0.0: 5.0, 1.0: 6.0}}
    await tell_hours(clean_database, "binance", "BTCUSDT", hours)
    await tell_hours(clean_database, "binance", "BTCUSDC", {"close": {0: 100.5}, "oi_usd_close": {0: 1.0}})
    await tell_hours(clean_database, "bybit", "BTCUSDT", {"close": {1: 99.0}})
    return clean_database


@pytest.fixture(autouse=True)
async def nothing_told_yet(client: httpx.AsyncClient, clean_database: Database) -> None:
    """The application puts what sources are known to tell into the catalogue; here each test fills its own."""
    await clean_database.reads.execute("truncate metric restart identity cascade")


async def test_values_as_each_source_tells_them(client: httpx.AsyncClient, told: Database) -> None:
    found = await rows(client, "/fundamentals/uni", metric="tvl", **WEEK)
    assert found[0] == {
        "time": iso(DAY), "metric": "TVL", "canonical_metric": "TVL", "source": "defillama", "exchange": None,
        "instrument": None, "value": 10, "unit": "USD", "covers": "instant", "age_s": None,
    }  # fmt: skip
    assert [(row["metric"], row["source"], row["value"]) for row in found] == [
        ("TVL", "defillama", 10), ("TVL_USD", "artemis", 11), ("TVL", "defillama", 20), ("TVL", "defillama", 30),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        ({"metric": "TVL_usd"}, [11]),
        ({"metric": "TVL", "source": "Artemis"}, [11]),
        ({"metric": "change_1d,tvl_usd"}, [-0.5, 11, 0]),
        ({"metric": ["CHANGE_1D", "TVL"], "source": "defillama", "end": iso(at(1))}, [-0.5, 10]),
        ({"exchange": "binance"}, []),
    ],
)
async def test_narrowed_by_own_and_canonical_names(
    client: httpx.AsyncClient, told: Database, narrow: Mapping[str, object], expected: list[float]
) -> None:
    assert [row["value"] for row in await rows(client, "/fundamentals/UNI", **{**WEEK, **narrow})] == expected


async def test_columns_of_hours_are_metrics_too(client: httpx.AsyncClient, told: Database) -> None:
    await tell(told, "coingecko", Metric("PRICE", "PRICE", "USD", "trading", "daily", "instant"), days(98), "bitcoin")
    found = await rows(client, "/fundamentals/BTC", metric="price", **WEEK)
    assert [(r["time"], r["metric"], r["exchange"], r["instrument"], r["value"]) for r in found] == [
        (iso(at(0)), "CLOSE_PRICE", "binance", "BTCUSDC", 100.5),
        (iso(at(0)), "CLOSE_PRICE", "binance", "BTCUSDT", 100.0),
        (iso(at(0)), "PRICE", None, None, 98.0),
        (iso(at(1)), "CLOSE_PRICE", "binance", "BTCUSDT", 101.0),
        (iso(at(1)), "CLOSE_PRICE", "bybit", "BTCUSDT", 99.0),
    ]
    one = await rows(client, "/fundamentals/BTC", exchange="BYBIT", **WEEK)
    assert [(r["metric"], r["value"]) for r in one] == [("CLOSE_PRICE", 99)]


async def test_every_column_of_an_hour_can_be_asked(client: httpx.AsyncClient, clean_database: Database) -> None:
    told = [Metric(name.upper(), name.upper(), "", "trading", "hourly", "1h", True, name) for name in HOUR_COLUMNS]
    await in_catalogue(clean_database, "velo", *told)
    candle = {"open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0}
    values = {name: candle.get(name, 10.0 + n) for n, name in enumerate(HOUR_COLUMNS)}
    await tell_hours(clean_database, "okx", "BTC-USDT-SWAP", {name: {0: value} for name, value in values.items()})
    for params in ({"start": iso(at(0)), "end": iso(at(1))}, {"at": iso(at(1))}):
        found = await rows(client, "/fundamentals/BTC", **params)
        assert {row["metric"].lower(): row["value"] for row in found} == values
    every = ",".join(values)
    beside = await rows(
        client, "/compare", metric=every, sources="velo", interval="1h", start=iso(at(0)), end=iso(at(1))
    )
    assert {row["metric"].lower(): row["value"] for row in beside} == values


async def test_at_gives_the_last_whose_window_was_over(client: httpx.AsyncClient, told: Database) -> None:
    of_a_day = Metric("FEES", "FEES", "USD", "fundamental", "daily", "day")
    await tell(told, "artemis", of_a_day, days(1, 2), "bitcoin")
    found = await read(client, "/fundamentals/BTC", at=iso(at(25.5)))
    assert [(r["metric"], r["instrument"], r["value"], r["age_s"]) for r in found["data"]] == [  # type: ignore[attr-defined]
        ("CLOSE_PRICE", "BTCUSDC", 100.5, 91_800), ("DOLLAR_OI_CLOSE", "BTCUSDC", 1, 91_800), ("FEES", None, 1, 91_800),
        ("CLOSE_PRICE", "BTCUSDT", 101, 88_200), ("CLOSE_PRICE", "BTCUSDT", 99, 88_200),
        ("DOLLAR_OI_CLOSE", "BTCUSDT", 6, 88_200),
    ]  # fmt: skip
    assert any("over at `at`" in notice for notice in found["meta"]["notices"])  # type: ignore[index]
    assert [row["value"] for row in await rows(client, "/fundamentals/BTC", at=iso(at(1)), metric="price")] == [
        100.5,
        100,
    ]
    assert await rows(client, "/fundamentals/BTC", at=iso(at(0.99))) == []
    assert [
        row["value"] for row in await rows(client, "/fundamentals/UNI", at=iso(DAY + 90 * ONE_DAY), metric="TVL")
    ] == [11, 30]


async def test_what_was_known_then(client: httpx.AsyncClient, clean_database: Database) -> None:
    await tell(clean_database, "defillama", TVL, days(10.0))
    before = utc_now()
    await tell(clean_database, "defillama", TVL, days(12.0))
    asked = {**WEEK, "metric": "TVL"}
    for known_at, value in ((None, [12]), (iso(before), [10]), (iso(DAY), [])):
        found = await rows(client, "/fundamentals/UNI", **asked, known_at=known_at)
        assert [row["value"] for row in found] == value
        found = await rows(client, "/fundamentals/UNI", at=iso(at(24)), known_at=known_at)
        assert [row["value"] for row in found] == value


@pytest.mark.parametrize("covers", ["instant", "24h", "30d"])
async def test_a_day_that_is_not_over_is_what_was_known_of_it(
    client: httpx.AsyncClient, clean_database: Database, covers: str
) -> None:
    """Live daily values are stamped at midnight and replaced through the day; one of history is told long after."""
    metric = Metric("FEES_24H", "FEES", "USD", "fundamental", "daily", covers)
    for delay, value in ((HOUR, 20.0), (23 * HOUR, 25.0), (30 * HOUR, 26.0)):
        await tell(clean_database, "defillama", metric, {DAY: value})
        await learnt_after(clean_database, delay)
    await tell(clean_database, "defillama", metric, {DAY - ONE_DAY: 10.0, DAY + 5 * ONE_DAY: 50.0})
    for hours, value in ((0.5, 10), (2, 20), (22.9, 20), (23, 25), (23.9, 25), (24, 26), (5 * 24 + 23, 26), (144, 50)):
        asked = {"at": iso(at(hours)), "metric": "FEES"}
        assert [row["value"] for row in await rows(client, "/fundamentals/UNI", **asked)] == [value], hours
        assert [row["value"] for row in await rows(client, "/compare", assets="UNI", **asked)] == [value], hours
        asked["known_at"] = iso(at(2))
        earlier = [20] if hours >= 1 else []
        assert [row["value"] for row in await rows(client, "/fundamentals/UNI", **asked)] == earlier, hours
        assert [row["value"] for row in await rows(client, "/compare", assets="UNI", **asked)] == earlier, hours


async def test_every_form_has_the_same_rows(client: httpx.AsyncClient, told: Database) -> None:
    asked = {**WEEK, "metric": "TVL,PRICE"}
    for asset in ("UNI", "BTC"):
        expected = await rows(client, f"/fundamentals/{asset}", **asked)
        assert expected

        async def in_form(form: str, asset: str = asset) -> bytes:
            answer = await client.get(f"/fundamentals/{asset}", params={**asked, "format": form})
            assert answer.status_code == 200
            return answer.content

        arrays = json.loads(await in_form("columns"))["data"]
        assert [dict(zip(arrays, row, strict=True)) for row in zip(*arrays.values(), strict=True)] == expected
        assert [json.loads(line) for line in (await in_form("ndjson")).splitlines()] == expected
        table = list(csv.DictReader(io.StringIO((await in_form("csv")).decode())))
        assert [(r["time"], r["exchange"] or None, float(r["value"])) for r in table] == [
            (r["time"], r["exchange"], r["value"]) for r in expected
        ]
        for read_table in (
            pq.read_table(io.BytesIO(await in_form("parquet"))),
            ipc.open_stream(await in_form("arrow")).read_all(),
        ):
            assert [{**row, "time": iso(row["time"])} for row in read_table.to_pylist()] == expected


async def test_pages_join_without_a_seam(client: httpx.AsyncClient, told: Database) -> None:
    for path, more in (("/fundamentals/BTC", {}), ("/compare", {"metric": "PRICE,TVL", "interval": "1h"})):
        whole = await rows(client, path, **WEEK, **more, sources=None)
        assert len(whole) > 3
        for order, expected in (("asc", whole), ("desc", whole[::-1])):
            pages: Rows = []
            cursor: object = None
            while True:
                page: Any = await read(client, path, **WEEK, **more, order=order, limit=2, cursor=cursor)
                pages += page["data"]
                cursor = page["page"]["next_cursor"]
                if cursor is None:
                    break
            assert pages == expected


@pytest.mark.parametrize(
    ("path", "params", "status", "code", "candidates"),
    [
        ("/fundamentals/UNI", {"metric": "TVLL"}, 400, "unknown_metric", ["TVL"]),
        ("/fundamentals/UNI", {"source": "defilama"}, 400, "unknown_source", ["defillama"]),
        ("/fundamentals/UNI", {"exchange": "binanse"}, 400, "unknown_exchange", ["binance"]),
        ("/fundamentals/unisvap", {}, 404, "unknown_asset", None),
        ("/fundamentals/UNI", {"metrics": "TVL"}, 400, "unknown_parameter", ["metric"]),
        ("/compare", {"metric": "TVLL"}, 400, "unknown_metric", ["TVL"]),
        ("/compare", {"metric": "TVL", "sources": "nobody-at-all"}, 400, "unknown_source", None),
        ("/compare", {"metric": "TVL", "assets": "unisvap"}, 404, "unknown_asset", None),
        ("/compare", {"metric": ""}, 400, "bad_value", None),
        ("/compare", {}, 400, "bad_value", None),
        ("/metrics-catalog", {"metric": "TVLL"}, 400, "unknown_metric", ["TVL"]),
        ("/metrics-catalog", {"domain": "x"}, 400, "bad_value", None),
    ],
)
async def test_what_is_not_known_is_an_error_that_names_the_nearest(
    client: httpx.AsyncClient,
    told: Database,
    path: str,
    params: dict[str, str],
    status: int,
    code: str,
    candidates: list[str] | None,
) -> None:
    answer = await client.get(path, params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if candidates is not None:
        assert answer.json()["candidates"] == candidates


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "the last value before the window ends is TVL of defillama = 30, of 2026-01-07T00:00:00Z"),
        ({"start": "2020-01-01", "end": "2020-01-02"}, "before our history; the newest value is TVL of defillama = 30"),
        ({"source": "artemis", "at": iso(at(2))}, "told only later; the newest value is TVL_USD of artemis = 11"),
        ({"source": "velo"}, "nothing of it is stored with these filters"),
    ],
)
async def test_no_rows_say_why(client: httpx.AsyncClient, told: Database, params: dict[str, str], words: str) -> None:
    found: Any = await read(client, "/fundamentals/UNI", **params)
    assert found["data"] == []
    assert words in " ".join(found["meta"]["notices"])


async def test_a_value_that_is_written_is_seen_at_once(client: httpx.AsyncClient, clean_database: Database) -> None:
    for n in range(1, 4):
        await tell(clean_database, "defillama", TVL, {DAY: float(n)})
        for path, more in (("/fundamentals/UNI", {}), ("/compare", {"metric": "TVL", "assets": "UNI"})):
            for _ in range(2):
                assert [row["value"] for row in await rows(client, path, **WEEK, **more)] == [n]


async def test_the_catalogue(client: httpx.AsyncClient, told: Database) -> None:
    everything = {(row["source"], row["name"]): row for row in await rows(client, "/metrics-catalog")}
    assert list(everything) == sorted(everything)
    assert everything["defillama", "TVL"] == {
        "source": "defillama", "name": "TVL", "canonical_name": "TVL", "unit": "USD", "domain": "fundamental",
        "granularity": "daily", "covers": "instant", "signed": False, "about": "Value locked", "entities": 1,
        "first": iso(DAY), "last": iso(DAY + 2 * ONE_DAY),
    }  # fmt: skip
    hourly = everything["velo", "CLOSE_PRICE"]
    assert (hourly["entities"], hourly["first"], hourly["last"]) == (1, iso(at(0)), iso(at(1)))
    for narrow, names in (
        ({"source": "velo"}, ["CLOSE_PRICE", "DOLLAR_OI_CLOSE"]),
        ({"domain": "Trading"}, ["CLOSE_PRICE"]),
        ({"q": "LOCKED"}, ["TVL"]),
        ({"metric": "tvl"}, ["TVL_USD", "TVL"]),
    ):
        assert [row["name"] for row in await rows(client, "/metrics-catalog", **narrow)] == names
    first = await read(client, "/metrics-catalog", limit=1)
    assert first["page"]["next_cursor"] is not None  # type: ignore[index]


async def test_an_entity_lists_its_fundamentals(client: httpx.AsyncClient, told: Database) -> None:
    (found,) = await rows(client, "/entities/uniswap")
    assert [row for row in found["data"] if row["dataset"] == "fundamentals"] == [
        {"dataset": "fundamentals", "exchange": None, "instrument": None, "source": source, "metrics": metrics,
         "first": iso(DAY), "last": iso(DAY + last * ONE_DAY)}
        for source, metrics, last in (("artemis", 1, 0), ("defillama", 2, 2))
    ]  # fmt: skip


def compared(values: Mapping[str, float]) -> dict[str, tuple[float, float, float]]:
    """Median, deviation and disagreement of each source, in plain Python."""
    middle = median(values.values())
    spread = (max(values.values()) - min(values.values())) / abs(middle)
    return {source: (middle, (value - middle) / abs(middle), spread) for source, value in values.items()}


async def test_sources_side_by_side(client: httpx.AsyncClient, clean_database: Database) -> None:
    values = {"defillama": 100.0, "artemis": 90.0, "coingecko": 130.0, "import": -20.0}
    signed = Metric("TVL", "TVL", "USD", "fundamental", "daily", "instant", signed=True)
    for number in (3, 4):
        told = dict(list(values.items())[:number])
        for source, value in told.items():
            await tell(clean_database, source, signed, {at(1): value + 1, at(20): value})
        expected = compared(told)
        found = await rows(client, "/compare", metric="tvl", assets="UNI", **WEEK)
        assert [row["source"] for row in found] == sorted(told)
        for row in found:
            assert (row["time"], row["value"], row["value_time"]) == (iso(DAY), told[row["source"]], iso(at(20)))
            assert (row["median"], row["deviation"], row["disagreement"]) == pytest.approx(expected[row["source"]])
    hourly = await rows(client, "/compare", metric="tvl", assets="UNI", interval="1h", **WEEK)
    assert [row["time"] for row in hourly] == [iso(at(1))] * 4 + [iso(at(20))] * 4


async def test_one_source_or_a_median_of_zero_is_not_compared(client: httpx.AsyncClient, told: Database) -> None:
    found = await rows(client, "/compare", metric="TVL", assets="UNI", sources="defillama", **WEEK)
    assert {(row["median"], row["deviation"], row["disagreement"]) for row in found} == {(None, None, None)}
    other = Metric("D", "CHANGE_1D", "percent", "fundamental", "daily", "24h", signed=True)
    await tell(told, "artemis", other, days(0.5, 0))
    found = await rows(client, "/compare", metric="CHANGE_1D", assets="UNI", **WEEK)
    assert [(r["source"], r["median"], r["deviation"], r["disagreement"]) for r in found] == [
        (source, 0, None, None) for source in ("artemis", "defillama", "artemis", "defillama")
    ]


async def test_units_and_windows_are_never_mixed(client: httpx.AsyncClient, clean_database: Database) -> None:
    for source, unit, covers, value in (
        ("defillama", "USD", "24h", 10.0),
        ("artemis", "USD", "day", 20.0),
        ("coingecko", "USD", "24h", 30.0),
        ("import", "EUR", "24h", 99.0),
    ):
        metric = Metric("VOLUME", "TRADING_VOLUME", unit, "trading", "daily", covers)
        await tell(clean_database, source, metric, {DAY: value})
    found: Any = await read(client, "/compare", metric="TRADING_VOLUME", assets="UNI", **WEEK)
    assert {row["source"]: row["median"] for row in found["data"]} == {
        "artemis": None, "coingecko": 20, "defillama": 20, "import": None,
    }  # fmt: skip
    assert found["meta"]["notices"] == [
        "TRADING_VOLUME is told in several ways, each compared only within itself: "
        "EUR over 24h (import); USD over 24h (coingecko, defillama); USD over day (artemis)"
    ]


async def test_what_adds_up_is_summed_over_exchanges(client: httpx.AsyncClient, told: Database) -> None:
    of_all = Metric("OI", "OPEN_INTEREST", "USD", "derivative", "daily", "instant")
    await tell(told, "coingecko", of_all, days(9.0), "bitcoin")
    await tell_hours(told, "okx", "BTC-USDT-SWAP", {"oi_usd_close": {2: 4.0}})
    found = await rows(client, "/compare", metric="OPEN_INTEREST", assets="BTC", **WEEK)
    assert [(r["source"], r["exchange"], r["value"], r["summed"], r["median"]) for r in found] == [
        ("coingecko", None, 9, [], 10), ("velo", None, 6 + 1 + 4, ["binance", "okx"], 10),
    ]  # fmt: skip
    prices = await rows(client, "/compare", metric="PRICE", assets="BTC", **WEEK)
    assert [(r["exchange"], r["instrument"], r["value"], r["median"]) for r in prices] == [
        ("binance", "BTCUSDC", 100.5, None), ("binance", "BTCUSDT", 101, None), ("bybit", "BTCUSDT", 99, None),
    ]  # fmt: skip


async def test_a_dead_exchange_adds_nothing_to_a_sum(client: httpx.AsyncClient, clean_database: Database) -> None:
    await in_catalogue(clean_database, "velo", OI)
    for exchange, symbol, last, value in (
        ("okx", "BTC-USDT-SWAP", 120, 1.0),
        ("binance", "BTCUSDT", 118, 10.0),
        ("binance", "BTCUSDC", 117, 100.0),
        ("bybit", "BTCUSDT", 0, 1000.0),
    ):
        await tell_hours(clean_database, exchange, symbol, {"oi_usd_close": {last: value}})
    (row,) = await rows(client, "/compare", metric="OPEN_INTEREST", assets="BTC", sources="velo", at=iso(at(121)))
    assert (row["value"], row["value_time"]) == (11, iso(at(118)))
    assert (row["summed"], row["stale"]) == (["binance", "okx"], ["binance", "bybit"])
    (row,) = await rows(client, "/compare", metric="OPEN_INTEREST", assets="BTC", sources="velo", at=iso(at(119)))
    assert (row["value"], row["value_time"]) == (110, iso(at(117)))
    assert (row["summed"], row["stale"]) == (["binance"], ["bybit"])
    daily = await rows(client, "/compare", metric="OPEN_INTEREST", assets="BTC", sources="velo", **WEEK)
    assert [(r["value"], r["summed"], r["stale"]) for r in daily] == [
        (1000, ["bybit"], []), (110, ["binance"], []), (1, ["okx"], []),
    ]  # fmt: skip


async def test_without_assets_those_of_several_sources(client: httpx.AsyncClient, told: Database) -> None:
    await tell(told, "defillama", TVL, days(5.0), "aave")
    asked = {"metric": "TVL", "start": iso(DAY), "end": iso(at(1))}
    assert {row["asset"] for row in await rows(client, "/compare", **asked)} == {"UNI"}
    assert {row["asset"] for row in await rows(client, "/compare", sources="defillama", **asked)} == {"UNI", "AAVE"}
    named = await rows(client, "/compare", assets="aave,uni", **asked)
    assert [(row["asset"], row["source"]) for row in named] == [
        ("AAVE", "defillama"), ("UNI", "artemis"), ("UNI", "defillama"),
    ]  # fmt: skip


async def test_compared_at_an_instant(client: httpx.AsyncClient, told: Database) -> None:
    found: Any = await read(client, "/compare", metric="TVL", assets="UNI", at=iso(at(50)))
    assert [(r["time"], r["source"], r["value"], r["value_time"], r["median"]) for r in found["data"]] == [
        (iso(at(50)), "artemis", 11, iso(DAY), 15.5), (iso(at(50)), "defillama", 20, iso(at(24)), 15.5),
    ]  # fmt: skip
    assert await rows(client, "/compare", metric="TVL", assets="UNI", at=iso(DAY + 30 * ONE_DAY)) == []
    old = {"known_at": iso(DAY), "metric": "TVL", "assets": "UNI", "at": iso(at(50))}
    assert await rows(client, "/compare", **old) == []


def body(*values: str) -> bytes:
    """Rows of TVL as JSON, a day each, with these values as they are written; an empty one is left out."""
    given = (f', "value": {value}' if value else "" for value in values)
    day = (f'{{"time": "2026-01-0{n}", "asset": "UNI", "metric": "TVL"{value}}}' for n, value in enumerate(given, 1))
    return f"[{', '.join(day)}]".encode()


async def test_every_spelling_of_a_value_is_a_value_or_a_named_reject(
    writer: httpx.AsyncClient, told: Database
) -> None:
    sent = body("1.5", "null", '"2.5"', "", '"NaN"', "-3", "0")
    answer = await post(writer, sent, "/fundamentals", source="defillama")
    assert [(row["row"], row["code"]) for row in answer["rejected"]] == [  # type: ignore[attr-defined,index]
        (1, "no_value"), (3, "no_value"), (4, "not_finite"), (5, "negative"),
    ]  # fmt: skip
    assert (answer["received"], answer["inserted"], answer["rejected_count"]) == (7, 2, 4)
    assert answer["updated"] == 1
    asked = {"metric": "TVL", "source": "defillama", "start": "2026-01-01", "end": "2026-01-08"}
    found = await rows(writer, "/fundamentals/UNI", **asked)
    assert [(row["time"][:10], row["value"]) for row in found] == [
        ("2026-01-01", 1.5), ("2026-01-03", 2.5), ("2026-01-05", 10), ("2026-01-06", 20), ("2026-01-07", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("media", "write"),
    [
        ("application/json", as_json),
        ("application/x-ndjson", as_ndjson),
        ("text/csv", as_csv),
        ("application/vnd.apache.parquet", as_parquet),
    ],
)
async def test_what_is_answered_can_be_sent_back(
    writer: httpx.AsyncClient, told: Database, media: str, write: Callable[[list[dict[str, object]]], bytes]
) -> None:
    found = await rows(writer, "/fundamentals/UNI", **WEEK)
    for row in found:
        row.pop("exchange")
        row.pop("instrument")
    answer = await post(writer, write(found), "/fundamentals", media, set="asset:UNI")
    assert (answer["received"], answer["unchanged"], answer["notices"]) == (len(found), len(found), [])


async def test_a_new_metric_is_listed_at_once(writer: httpx.AsyncClient) -> None:
    who = {"asset": "BTC", "metric": "Mood", "exchange": "okx"}
    mine: list[dict[str, object]] = [{"time": "2026-01-05", **who, "value": "-0.5", "unit": "points"}]
    assert (await writer.get("/metrics-catalog", params={"metric": "mood"})).status_code == 400
    await post(writer, mine, "/fundamentals", source="desk")
    (listed,) = await rows(writer, "/metrics-catalog", metric="mood")
    assert (listed["source"], listed["canonical_name"], listed["unit"]) == ("desk", "MOOD", "points")
    (row,) = await rows(writer, "/fundamentals/BTC", source="DESK", exchange="OKX", **WEEK)
    assert (row["metric"], row["value"], row["exchange"]) == ("Mood", -0.5, "okx")
