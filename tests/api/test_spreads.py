"""Spreads over HTTP: over time against plain Python, named legs, thresholds, pages, and what is refused."""

import json
import random
from datetime import datetime, timedelta

import httpx
import pytest

from app.api import spreads_asking
from app.db import Database
from tests import plain_spreads
from tests.api.test_funding import iso
from tests.db.facts import at, series, settle
from tests.plain import Contract
from tests.plain_spreads import Market

HOUR = timedelta(hours=1)
Rows = list[dict[str, object]]


async def ask(client: httpx.AsyncClient, path: str, **params: object) -> dict[str, object]:
    answer = await client.get(path, params={k: str(v) for k, v in params.items() if v is not None})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def rows_of(client: httpx.AsyncClient, path: str, **params: object) -> Rows:
    return (await ask(client, path, **params))["data"]  # type: ignore[return-value]


async def stored(db: Database, market: Market, base: str = "BTC") -> Market:
    """The same market in the database, every interval declared."""
    for (exchange, symbol), contract in market.items():
        to = await series(db, exchange, symbol, base)
        for hours in {hours for _, hours in contract.settled.values()}:
            rates = {(t - at(0)) / HOUR: rate for t, (rate, h) in contract.settled.items() if h == hours}
            await settle(db, to, rates, hours=hours)
    return market


def paid(exchange: str, rates: dict[float, float], hours: float) -> Contract:
    return Contract(exchange, {at(h): (rate, hours) for h, rate in rates.items()})


def a_market(seed: int) -> Market:
    """Three days on four exchanges, one with two contracts, with gaps and with rates that are often equal."""
    dice = random.Random(seed)
    market: dict[tuple[str, str], Contract] = {}
    for exchange, symbol, step in (
        ("binance", "BTCUSDT", 8), ("binance", "BTCUSDC", 4), ("bybit", "BTCUSDT", 8), ("hyperliquid", "BTC", 1),
        ("kraken", "PF_XBTUSD", 1),
    ):  # fmt: skip
        rates = {h: dice.choice([-2, 0, 1, 1, 3]) * 1e-5 * step for h in range(0, 72, step) if dice.random() > 0.3}
        market[exchange, symbol] = paid(exchange, rates, step)
    return market


def same(rows: Rows, expected: Rows) -> None:
    assert [[row[name] for name in ("time", "short_instrument", "long_instrument")] for row in rows] == [
        [iso(row["time"]), row["short_instrument"], row["long_instrument"]]  # type: ignore[arg-type]
        for row in expected
    ]
    for row, other in zip(rows, expected, strict=True):
        for name, value in other.items():
            assert row[name] == (
                iso(value) if isinstance(value, datetime)
                else pytest.approx(value, rel=1e-9, abs=1e-18) if isinstance(value, float) else value
            ), (row["time"], name)  # fmt: skip


@pytest.mark.parametrize(("seed", "per", "hours", "step"), [(1, "8h", 8, "1h"), (2, "1y", 8760, "15m")])
async def test_series_equal_plain_python(
    client: httpx.AsyncClient, clean_database: Database, seed: int, per: str, hours: float, step: str
) -> None:
    market = await stored(clean_database, a_market(seed))
    instants = [at(n * (0.25 if step == "15m" else 1)) for n in range(60)]
    asked = {"start": iso(instants[0]), "end": iso(instants[-1] + timedelta(seconds=1)), "interval": step, "per": per}
    for name, compute in (("best", plain_spreads.best), ("all", plain_spreads.pairs)):
        rows = await rows_of(client, "/spreads/BTC", pairs=name, limit=10_000, **asked)
        expected = [row for moment in instants for row in compute(market, moment, hours)]
        order = {(*k,): n for n, k in enumerate(sorted(market))}
        expected.sort(key=lambda r: (r["time"], order[r["short_exchange"], r["short_instrument"]]))  # type: ignore[index]
        same(rows, expected)
        assert {row["interval_assumed"] for row in rows} == {False}
    moment = instants[17]
    same(await rows_of(client, "/spreads/BTC", at=iso(moment), per=per), plain_spreads.best(market, moment, hours))


async def test_a_large_hourly_spread_is_not_a_tenth_of_it(client: httpx.AsyncClient, clean_database: Database) -> None:
    """0.0012 an hour is 1051 % a year, not 105 %."""
    await stored(clean_database, {
        ("hyperliquid", "BTC"): paid("hyperliquid", {8: 0.0013}, 1), ("binance", "B"): paid("binance", {8: 0.0008}, 8),
    })  # fmt: skip
    (row,) = await rows_of(client, "/spreads/BTC", at=iso(at(8)), per="1h")
    assert (row["short_exchange"], row["long_exchange"]) == ("hyperliquid", "binance")
    assert row["spread"] == pytest.approx(0.0012)
    assert row["spread_apr"] == pytest.approx(10.512)
    (ranked,) = await rows_of(client, "/spreads", at=iso(at(8)), per="1h")
    assert (ranked["spread"], ranked["spread_apr"]) == (row["spread"], row["spread_apr"])


async def test_the_same_rate_on_four_exchanges(client: httpx.AsyncClient, clean_database: Database) -> None:
    rates = {"lighter": (1.25e-5, 1), "hyperliquid": (1.25e-5, 1), "bybit": (5e-5, 4), "binance": (1e-4, 8)}
    await stored(clean_database, {(e, "BTC"): paid(e, {8: rate}, hours) for e, (rate, hours) in rates.items()})
    (row,) = await rows_of(client, "/spreads/BTC", at=iso(at(8)))
    assert (row["short_exchange"], row["long_exchange"], row["spread"]) == ("binance", "bybit", 0)
    every = await rows_of(client, "/spreads/BTC", at=iso(at(8)), pairs="all")
    assert [row["spread"] for row in every] == [0] * 6
    assert all(str(row["short_exchange"]) < str(row["long_exchange"]) for row in every)


async def test_late_and_stale_exchanges(client: httpx.AsyncClient, clean_database: Database) -> None:
    """A settles every 8 h, B every hour to 20:00; A counts until 12 h after its last settlement, that hour included."""
    await stored(clean_database, {
        ("binance", "A"): paid("binance", {0: 1e-4, 8: 3e-4}, 8),
        ("hyperliquid", "B"): paid("hyperliquid", dict.fromkeys(range(30), 1e-05), 1),
    })  # fmt: skip
    rows = await rows_of(client, "/spreads/BTC", start=iso(at(18)), end=iso(at(30)))
    assert [row["time"] for row in rows] == [iso(at(h)) for h in (18, 19, 20)]
    assert (rows[-1]["short_time"], rows[-1]["long_time"]) == (iso(at(8)), iso(at(20)))
    assert rows[-1]["spread"] == pytest.approx(3e-4 - 8e-5)
    late = await ask(client, "/spreads/BTC", at=iso(at(21)))
    assert late["data"] == []
    assert "two rates in force" in late["meta"]["notices"][0]  # type: ignore[index]


async def test_named_legs(client: httpx.AsyncClient, clean_database: Database) -> None:
    await stored(clean_database, {
        ("binance", "BTCUSDC"): paid("binance", {0: 5e-4, 8: 6e-4, 16: 7e-4}, 8),
        ("binance", "BTCUSDT"): paid("binance", {0: 1e-4, 8: 2e-4}, 8),
        ("bybit", "BTCUSDT"): paid("bybit", {0: 3e-4, 8: 1e-4, 16: 1e-4}, 8),
    })  # fmt: skip
    asked = {"start": iso(at(0)), "end": iso(at(24)), "interval": "8h"}
    rows = await rows_of(client, "/spreads/BTC", short="Binance", long="bybit", **asked)
    assert [row["short_instrument"] for row in rows] == ["BTCUSDT"] * 3
    assert [row["spread"] for row in rows] == pytest.approx([-2e-4, 1e-4, 1e-4])
    (row,) = await rows_of(client, "/spreads/BTC", short="binance", long="bybit", at=iso(at(21)))
    assert (row["short_instrument"], row["spread"]) == ("BTCUSDC", pytest.approx(6e-4))
    rows = await rows_of(client, "/spreads/BTC", short="binance", long="bybit", min_spread=-0.0001, **asked)
    assert [row["time"] for row in rows] == [iso(at(8)), iso(at(16))]
    rows = await rows_of(client, "/spreads/BTC", short="binance:btcusdc", long="binance:BTCUSDT", **asked)
    assert [row["spread"] for row in rows] == pytest.approx([4e-4, 4e-4, 5e-4])
    rows = await rows_of(
        client, "/spreads/BTC", short="binance", long="binance:BTCUSDC", start=iso(at(0)), end=iso(at(24))
    )
    assert [row["time"] for row in rows] == [iso(at(h)) for h in range(21)], "then USDC is the main one, and not itself"


async def test_a_threshold_over_all_there_is(client: httpx.AsyncClient, clean_database: Database) -> None:
    """1 % exactly counts, though 0.0112 − 0.0012 is a little less in binary; pages of few rows join without a seam."""
    wide = {h: 0.0112 if h % 80 == 0 else 0.002 for h in range(0, 1600, 8)}
    market = {
        ("binance", "A"): paid("binance", wide, 8),
        ("bybit", "B"): paid("bybit", dict.fromkeys(range(0, 1600, 8), 0.0012), 8),
    }
    await stored(clean_database, market)
    asked = {"start": "2020-01-01", "min_spread": 0.01}
    whole = await rows_of(client, "/spreads/BTC", **asked)
    assert [row["time"] for row in whole] == [iso(at(h + n)) for h in range(0, 1600, 80) for n in range(8)]
    assert len(await rows_of(client, "/spreads/BTC", **{**asked, "min_spread": 0.0100001})) == 0
    for order in ("asc", "desc"):
        pages: Rows = []
        cursor = None
        while True:
            page = await ask(client, "/spreads/BTC", limit=70, cursor=cursor, order=order, **asked)
            pages += page["data"]  # type: ignore[arg-type]
            cursor = page["page"]["next_cursor"]  # type: ignore[index]
            if cursor is None:
                break
            await settle(clean_database, await series(clean_database, "okx", "C"), {-48.0 - len(pages): 1e-4}, hours=1)
        assert pages == (whole if order == "asc" else whole[::-1])


async def test_every_asset_over_a_window(client: httpx.AsyncClient, clean_database: Database) -> None:
    for base, wide in (("BTC", 1e-3), ("ETH", 2e-3), ("SOL", 1e-4)):
        market = {(e, f"{base}{e}"): paid(e, {0: rate, 8: rate / 2}, 8) for e, rate in (("okx", wide), ("bybit", 0.0))}
        await stored(clean_database, market, base)
    asked = {"start": iso(at(0)), "end": iso(at(16)), "interval": "8h", "min_spread": 0.001}
    rows = await rows_of(client, "/spreads", **asked)
    assert [(row["time"], row["asset"], row["spread"]) for row in rows] == [
        (iso(at(0)), "BTC", 1e-3), (iso(at(0)), "ETH", 2e-3), (iso(at(8)), "ETH", 1e-3),
    ]  # fmt: skip
    page = await ask(client, "/spreads", limit=1, **asked)
    (second,) = await rows_of(client, "/spreads", limit=1, cursor=page["page"]["next_cursor"], **asked)  # type: ignore[index]
    assert second == rows[1]
    assert [row["asset"] for row in await rows_of(client, "/spreads", assets="eth", **asked)] == ["ETH", "ETH"]


REFUSED = [
    ("/spreads/BTC?per=native", 400, "bad_value", "per"),
    ("/spreads?per=native", 400, "bad_value", "per"),
    ("/spreads/BTC?short=binance", 400, "bad_value", "long"),
    ("/spreads/BTC?short=binance&long=BINANCE", 400, "bad_value", "long"),
    ("/spreads/BTC?short=binance&long=binance:BTCUSDT", 400, "bad_value", "long"),
    ("/spreads/BTC?short=binance&long=bybit&pairs=all", 400, "bad_value", "pairs"),
    ("/spreads/BTC?short=binance&long=binanse", 400, "unknown_exchange", "long"),
    ("/spreads/BTC?short=binance:NONE&long=bybit", 400, "unknown_instrument", "short"),
    ("/spreads/BTC?interval=7m", 400, "bad_value", "interval"),
    ("/spreads/BTC?min_spread=nan", 400, "bad_value", "min_spread"),
    ("/spreads/BTC?at=2026-01-05&start=2026-01-01", 400, "bad_window", "at"),
    ("/spreads/BTC?sort=spread", 400, "unknown_parameter", "sort"),
    ("/spreads/BTK", 404, "unknown_asset", "asset"),
    ("/spreads?assets=BTK", 404, "unknown_asset", "asset"),
    ("/spreads?start=2026-01-01", 400, "bad_value", "min_spread"),
    ("/spreads?start=2026-01-01&min_spread=0", 400, "bad_value", "min_spread"),
    ("/spreads?start=2026-01-01&min_spread=0.1&sort=spread", 400, "bad_value", "sort"),
    ("/spreads?interval=1h", 400, "bad_value", "interval"),
    ("/spreads?sort=beauty", 400, "bad_value", "sort"),
    ("/spreads?fee_rates=binance", 400, "bad_value", "fee_rates"),
    ("/spreads?fee_rates=binance:7", 400, "bad_value", "fee_rates"),
    ("/spreads?fee_rates=binanse:0.0004", 400, "unknown_exchange", "fee_rates"),
    ("/spreads?fees=none&fee_rates=binance:0.0004", 400, "bad_value", "fee_rates"),
    ("/spreads?horizon_hours=0", 400, "bad_value", "horizon_hours"),
    ("/spreads?exchanges=binanse", 400, "unknown_exchange", "exchanges"),
]


async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient, clean_database: Database) -> None:
    await series(clean_database, "binance", "BTCUSDC")
    await series(clean_database, "binance", "BTCUSDT")
    for path, status, code, parameter in REFUSED:
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
        assert answer.json()["errors"][0]["parameter"] == parameter, path


async def test_more_than_can_be_looked_through_is_refused(
    client: httpx.AsyncClient, clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three contracts of 17 hours by 5 minutes: 3 × 205 rates, or as many pairs. A page of all needs no bound."""
    rates = dict.fromkeys((0, 8, 16), 1e-4)
    await stored(clean_database, {(name, "B"): paid(name, rates, 8) for name in ("binance", "bybit", "okx")})
    asked = {"start": "2020-01-01", "end": iso(at(17, at(0)) + timedelta(minutes=5)), "interval": "5m"}
    monkeypatch.setattr(spreads_asking, "LARGEST", 615)
    assert len(await rows_of(client, "/spreads/BTC", pairs="all", min_spread=0, limit=10_000, **asked)) == 615
    monkeypatch.setattr(spreads_asking, "LARGEST", 614)
    assert len(await rows_of(client, "/spreads/BTC", pairs="all", limit=10_000, **asked)) == 615
    for path in ("/spreads?min_spread=0.1&", "/spreads/BTC?min_spread=0.1&", "/spreads/BTC?format=csv&"):
        answer = await client.get(f"{path}{httpx.QueryParams(asked)}")
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), path
        assert "shorter window" in answer.json()["detail"]


@pytest.mark.parametrize("pairs", ["best", "all"])
async def test_pages_of_a_window_with_holes_join_without_a_seam(
    client: httpx.AsyncClient, clean_database: Database, pairs: str
) -> None:
    """Rows of three stretches months apart: none is lost or told twice, however pages fall."""
    hours = [h + n for h in (0, 2400, 2450) for n in (0, 1, 2)]
    await stored(clean_database, {
        (name, "B"): paid(name, {h: rate * h for h in hours}, 1)
        for name, rate in (("binance", 3e-7), ("bybit", 2e-7), ("okx", 0.0))
    })  # fmt: skip
    asked = {"start": "2020-01-01", "end": iso(at(9000)), "interval": "30m", "pairs": pairs}
    whole = (await client.get("/spreads/BTC", params={**asked, "format": "ndjson"})).text.splitlines()
    assert len(whole) == 3 * 8 * (1 if pairs == "best" else 3)
    for order, limit in (("asc", 5), ("desc", 7), ("asc", 1000)):
        rows: Rows = []
        cursor: object = None
        while not rows or cursor:
            page = await ask(client, "/spreads/BTC", **asked, order=order, limit=limit, cursor=cursor)
            rows += page["data"]  # type: ignore[arg-type]
            cursor = page["page"]["next_cursor"]  # type: ignore[index]
            assert len(page["data"]) == limit or not cursor  # type: ignore[arg-type]
        expected = [json.loads(line) for line in whole]
        assert rows == (expected if order == "asc" else expected[::-1])
