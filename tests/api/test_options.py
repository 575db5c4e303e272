"""The chain of an asset's options at an instant."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from app.db import Database
from app.services import options, partitions, retention
from tests.options import DAY, EXPIRY, at, listed, listing, tell, tick
from tests.plain_options import YEAR, black76

CHAIN = "/options/BTC/chain"
CALL, PUT, OTHER = listed(90000, "call"), listed(90000, "put"), listed(95000, "call")
LINEAR = listed(90000, "call", quote="USDC", margin="stable")
STATE = {"bid": 0.05, "ask": 0.055, "mark_price": 0.0525, "mark_iv": 0.5, "underlying_price": 91000.0,
         "index_price": 90800.0, "open_interest": 12.5, "volume_24h": 3.0}  # fmt: skip
GREEKS = ("delta", "gamma", "vega", "theta", "rho")


async def chain(client: httpx.AsyncClient, hours: float, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(CHAIN, params={"at": at(hours).isoformat(), **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture
async def series(clean_database: Database) -> dict[str, int]:
    """Two calls and a put; states of the first call at 1:00:00.500, of the put at 2:00."""
    found = await listing(clean_database, CALL, PUT, OTHER)
    await tell(
        clean_database,
        "option_1m",
        {"series_id": found[CALL.symbol], "ts": at(1) + timedelta(milliseconds=500), **STATE},
        {"series_id": found[PUT.symbol], "ts": at(2), **STATE, "bid": None, "mark_iv": 0.55},
    )
    return dict(found)


async def test_a_row_a_strike(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    (row,) = await chain(client, 3)
    assert {name: row[name] for name in ("expiry", "strike", "exchange", "quote", "price_unit")} == {
        "expiry": "2026-03-27T08:00:00Z",
        "strike": 90000.0,
        "exchange": "deribit",
        "quote": "BTC",
        "price_unit": "coin",
    }
    told_at = at(1) + timedelta(milliseconds=500)
    made = black76("call", 91000, 90000, 0.5, (EXPIRY - told_at) / YEAR)
    assert row["call"] == {
        "instrument": CALL.symbol, "bid": 0.05, "ask": 0.055, "mark": 0.0525, "mark_iv": 0.5, "open_interest": 12.5,
        "volume": 3.0, "underlying": 91000.0, "index_price": 90800.0, "as_of": "2026-03-02T01:00:00.500000Z",
        "age_s": 7199.5, "source": "deribit", "greeks": "black76",
        **{greek: pytest.approx(getattr(made, greek), rel=1e-12) for greek in GREEKS},
    }  # fmt: skip
    assert (row["put"]["bid"], row["put"]["ask"], row["put"]["mark_iv"]) == (None, 0.055, 0.55)


async def test_nothing_later_is_used(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    assert await chain(client, 1) == []
    (row,) = await chain(client, 1.5)
    assert (row["call"]["mark_iv"], row["put"]) == (0.5, None)


async def test_a_day_after_an_option_is_silent(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    (row,) = await chain(client, 25.5)
    assert (row["call"], row["put"]["mark_iv"]) == (None, 0.55)
    body = (await client.get(CHAIN, params={"at": at(26).isoformat()})).json()
    assert body["data"] == []
    assert "no rows: nothing newer than 2026-03-02T02:00:00Z is stored" in body["meta"]["notices"]


async def test_bid_and_ask_are_the_newest(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    call = series[CALL.symbol]
    quotes = [
        {"series_id": call, "ts": at(h), "bid": bid, "ask": 0.06} for h, bid in ((0.5, 0.01), (1.5, None), (2.5, 0.04))
    ]
    await tick(
        clean_database,
        "option_tick",
        *quotes,
        {"series_id": series[OTHER.symbol], "ts": at(1), "bid": 0.02, "ask": None},
    )
    sides = {hours: (await chain(client, hours))[0]["call"] for hours in (0.75, 1.25, 2, 3)}
    assert {hours: (side["bid"], side["ask"]) for hours, side in sides.items()} == {
        0.75: (0.01, 0.06),
        1.25: (0.05, 0.055),
        2: (None, 0.06),
        3: (0.04, 0.06),
    }
    assert sides[0.75]["mark"] is None
    assert sides[0.75]["greeks"] is None
    assert (sides[3]["as_of"], sides[3]["age_s"], sides[3]["mark"]) == ("2026-03-02T02:30:00Z", 1800, 0.0525)
    rows = await chain(client, 1.5)
    assert [(row["strike"], row["call"]["bid"]) for row in rows] == [(90000.0, None), (95000.0, 0.02)]


async def test_greeks_told_since_the_state_stand_before_black76(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    call, told = series[CALL.symbol], {"delta": 0.6, "gamma": 1e-5, "vega": 90.0, "theta": -50.0, "rho": None}
    await tell(clean_database, "greeks", {"series_id": call, "ts": at(0.9), **told, "delta": 0.1})
    assert (await chain(client, 0.95))[0]["call"]["delta"] == 0.1
    assert (await chain(client, 2))[0]["call"]["greeks"] == "black76"
    await tell(clean_database, "greeks", {"series_id": call, "ts": at(1.2), **told})
    computed = (await chain(client, 1.1))[0]["call"]["rho"]
    (row,) = await chain(client, 2)
    assert row["call"]["greeks"] == "told and black76"
    assert {name: row["call"][name] for name in told} == {**told, "rho": computed}
    await tell(clean_database, "greeks", {"series_id": call, "ts": at(1.3), **told, "rho": 7.0})
    assert [(one["call"]["greeks"], one["call"]["rho"]) for one in await chain(client, 2)] == [("told", 7.0)]


async def test_only_options_that_live(client: httpx.AsyncClient, clean_database: Database) -> None:
    soon = listed(80000, "call", at(10))
    later, gone = listed(81000, "call", listed_at=at(5)), listed(82000, "call", delisted_at=at(4))
    found = await listing(clean_database, soon, later, gone)
    rows = [{"series_id": one, "ts": at(1), **STATE} for one in found.values()]
    await tell(clean_database, "option_1m", *rows)
    strikes = {hours: [row["strike"] for row in await chain(client, hours)] for hours in (2, 4, 5, 9.99, 10)}
    assert strikes == {2: [80000, 82000], 4: [80000], 5: [80000, 81000], 9.99: [80000, 81000], 10: [81000]}


async def test_inverse_and_linear_are_rows_of_their_own(client: httpx.AsyncClient, clean_database: Database) -> None:
    found = await listing(clean_database, CALL, LINEAR)
    rows = [
        {"series_id": one, "ts": at(1), **STATE, "bid": bid}
        for one, bid in ((found[CALL.symbol], 0.05), (found[LINEAR.symbol], 4500.0))
    ]
    await tell(clean_database, "option_1m", *rows)
    told = [(row["quote"], row["price_unit"], row["call"]["bid"]) for row in await chain(client, 2)]
    assert told == [("BTC", "coin", 0.05), ("USDC", "USD", 4500.0)]


async def test_narrowed_by_expiry_exchange_and_source(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    april = listed(90000, "call", EXPIRY + timedelta(days=28))
    found = await listing(clean_database, april)
    await tell(clean_database, "option_1m", {"series_id": found[april.symbol], "ts": at(1), **STATE})
    assert len(await chain(client, 3)) == 2
    for expiry in ("2026-03-27", "2026-03-27T08:00:00Z"):
        assert [row["expiry"] for row in await chain(client, 3, expiry=expiry)] == ["2026-03-27T08:00:00Z"]
    assert await chain(client, 3, expiry="2026-03-28") == []
    assert len(await chain(client, 3, exchange="deribit", source="deribit")) == 2
    assert (await client.get(CHAIN, params={"exchange": "derebit"})).status_code == 400


async def test_the_source_that_told_last(
    client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]
) -> None:
    imported = await listing(clean_database, CALL, source="import")
    await tell(clean_database, "option_1m", {"series_id": imported[CALL.symbol], "ts": at(2), **STATE, "mark_iv": 0.7})
    assert [row["call"]["source"] for row in [*await chain(client, 1.5), *await chain(client, 2)]] == [
        "deribit",
        "import",
    ]
    (row,) = await chain(client, 3, source="deribit", known_at="2100-01-01")
    assert row["call"]["mark_iv"] == 0.5


async def test_known_then(client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]) -> None:
    put = series[PUT.symbol]
    before = await clean_database.reads.fetchval("select clock_timestamp()")
    await tell(clean_database, "option_1m", {"series_id": put, "ts": at(2), **STATE, "mark_iv": 0.9})
    (row,) = await chain(client, 3)
    assert row["put"]["mark_iv"] == 0.9
    (row,) = await chain(client, 3, known_at=before.isoformat())
    assert row["put"]["mark_iv"] == 0.55


async def test_all_forms(client: httpx.AsyncClient, series: dict[str, int]) -> None:
    (row,) = await chain(client, 3)
    asked = {"at": at(3).isoformat()}
    text = (await client.get(CHAIN, params={**asked, "format": "csv"})).text
    (line,) = csv.DictReader(io.StringIO(text))
    assert (float(line["strike"]), json.loads(line["call"]), json.loads(line["put"])) == (
        90000,
        row["call"],
        row["put"],
    )
    body = (await client.get(CHAIN, params={**asked, "format": "parquet"})).content
    (table,) = pq.read_table(io.BytesIO(body)).to_pylist()
    assert json.loads(table["call"]) == row["call"]
    columns = (await client.get(CHAIN, params={**asked, "format": "columns"})).json()
    assert columns["data"]["put"] == [row["put"]]
    assert columns["meta"]["units"]["call.mark_iv"] == "fraction per year"
    (numbers,) = await chain(client, 3, time_format="ms")
    assert (numbers["expiry"], numbers["call"]["as_of"]) == (1774598400000, 1772413200500)


async def test_pages(client: httpx.AsyncClient, clean_database: Database) -> None:
    found = await listing(
        clean_database, *(listed(50000 + 1000 * n, kind) for n in range(5) for kind in ("call", "put"))
    )
    await tell(clean_database, "option_1m", *({"series_id": one, "ts": at(1), **STATE} for one in found.values()))
    whole = await chain(client, 2)
    url: str | None = str(httpx.URL(CHAIN, params={"at": at(2).isoformat(), "limit": "2"}))
    paged: list[dict[str, Any]] = []
    while url:
        body = (await client.get(url)).json()
        paged += body["data"]
        url = body["page"]["next_url"]
    assert len(whole) == 5
    assert paged == whole


async def test_why_empty_looks_into_the_days_an_option_lived(clean_database: Database) -> None:
    """Each day is a partition: of a year's, those before its listing and after its expiry are not read."""
    if not await clean_database.reads.fetchval(partitions.IS_NATIVE, "option_1m"):
        pytest.skip("chunks of TimescaleDB are left out in another way")
    brief = replace(listed(50000, "call", at(32)), listed_at=at(6))
    found = await listing(clean_database, brief, CALL)
    days = [{"series_id": found[CALL.symbol], "ts": at(24 * n), **STATE} for n in range(-6, 7)]
    await tell(clean_database, "option_1m", *days)
    asked = await clean_database.reads.fetchval("select id from instrument where symbol = $1", brief.symbol)
    text = options.SPAN.format(fact="option_1m")
    plan = await clean_database.reads.fetch(f"explain (analyze, costs off, timing off) {text}", [asked])
    read = [row[0] for row in plan if "never executed" not in row[0] and "(actual" in row[0]]
    assert {day for line in read for day in re.findall(r"on option_1m_p(\d+)", line)} == {"20260302", "20260303"}


async def test_why_empty(client: httpx.AsyncClient, clean_database: Database) -> None:
    async def notices() -> list[str]:
        return (await client.get(CHAIN, params={"at": at(1).isoformat()})).json()["meta"]["notices"]

    assert "no rows: no option of this asset is known with these filters" in await notices()
    found = await listing(clean_database, CALL)
    assert "no rows: not fetched yet" in await notices()
    await tell(clean_database, "option_1m", {"series_id": found[CALL.symbol], "ts": at(2), **STATE})
    assert "no rows: before our history, which begins 2026-03-02T02:00:00Z" in await notices()
    unknown = await client.get("/options/BTK/chain")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_asset")


async def test_gone(client: httpx.AsyncClient, clean_database: Database, series: dict[str, int]) -> None:
    facts = ("option_1m", "option_tick", "greeks")
    for fact in facts[1:]:
        rows = {"series_id": series[CALL.symbol], "ts": at(1)}
        await (tick if fact == "option_tick" else tell)(clean_database, fact, rows)  # type: ignore[operator]
    assert len(await chain(client, 3)) == 1
    await retention.apply(clean_database, dict.fromkeys(facts, 8), DAY + timedelta(days=20))
    answer = await client.get(CHAIN, params={"at": at(3).isoformat()})
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")
