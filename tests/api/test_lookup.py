"""`POST /lookup`: many instants in one call, answered as one look-up of each would be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.records import Instrument
from app.services import lookup, reference
from tests.db import facts

DAY = "2026-01-05"
T8 = "2026-01-05T08:00:00Z"


@pytest.fixture
async def rates(clean_database: Database) -> Database:
    """Eight-hourly settlements on one exchange and hourly ones on another, over two days."""
    eights = await facts.series(clean_database, "binance", "BTCUSDT")
    await facts.settle(clean_database, eights, {h: (1 + h) * 1e-6 for h in range(0, 48, 8)}, hours=8)
    ones = await facts.series(clean_database, "hyperliquid", "BTC")
    await facts.settle(clean_database, ones, {h: (1 + h) * 1e-7 for h in range(48)}, hours=1)
    return clean_database


async def ask(client: httpx.AsyncClient, *rows: Any, **more: Any) -> dict[str, Any]:
    answer = await client.post("/lookup", json={"dataset": "funding", "rows": rows, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def row(time: object, exchange: str = "binance", asset: str = "BTC", **more: object) -> dict[str, object]:
    return {"time": time, "exchange": exchange, "asset": asset, **more}


async def refused(client: httpx.AsyncClient, status: int, **body: Any) -> dict[str, Any]:
    answer = await client.post("/lookup", json={"dataset": "funding", **body})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_answers_in_the_order_asked(client: httpx.AsyncClient, rates: Database) -> None:
    body = await ask(
        client,
        row("2026-01-05T17:30:00Z", "Hyperliquid", "btc"),
        row(T8),
        row("2026-01-05T07:59:59.5Z", asset="bitcoin"),
        row("2026-01-04"),
        row("2026-01-05T10:30:00+01:30", "hyperliquid"),
    )
    assert body["data"] == {
        "time": [
            "2026-01-05T17:30:00Z", T8, "2026-01-05T07:59:59.500000Z", "2026-01-04T00:00:00Z", "2026-01-05T09:00:00Z",
        ],
        "exchange": ["hyperliquid", "binance", "binance", "binance", "hyperliquid"],
        "asset": ["BTC"] * 5,
        "rate": [18e-7 * 8, 9e-6, 1e-6, None, 1e-6 * 8],
        "rate_native": [18e-7, 9e-6, 1e-6, None, 1e-6],
        "interval_hours": [1, 8, 8, None, 1],
        "age_s": [1800, 0, 8 * 3600 - 0.5, None, 0],
    }  # fmt: skip
    assert (body["meta"]["per"], body["meta"]["kind"]) == ("8h", "settled")
    assert body["meta"]["window"]["start"] == "2026-01-04T00:00:00Z"
    assert body["page"] == {"next_cursor": None, "next_url": None}


async def test_equals_a_look_up_of_each(client: httpx.AsyncClient, rates: Database) -> None:
    times = [facts.at(h / 3) for h in range(-3, 200, 7)]
    for per in ("native", "1y"):
        found = (await ask(client, *(row(t.isoformat(), "hyperliquid") for t in times), per=per))["data"]
        for n, time in enumerate(times):
            params = {"at": time.isoformat(), "exchanges": "hyperliquid", "per": per}
            one = (await client.get("/funding/BTC", params=params)).json()["data"]
            assert [found["rate"][n], found["rate_native"][n]] == (
                [one[0]["rate"], one[0]["rate_native"]] if one else [None, None]
            )


async def test_a_rate_is_in_force_for_one_and_a_half_intervals(client: httpx.AsyncClient, rates: Database) -> None:
    last = facts.at(40) + timedelta(hours=12)
    found = await ask(client, row(last.isoformat()), row((last + timedelta(microseconds=1)).isoformat()))
    assert found["data"]["rate_native"] == [41e-6, None]


async def test_time_in_all_forms_mixed(client: httpx.AsyncClient, rates: Database) -> None:
    stamps = [T8, 1767600000, 1767600000000, "1767600000", "2026-01-05T08:00:00", "2026-01-05 08:00", DAY]
    found = (await ask(client, *(row(t) for t in stamps)))["data"]
    assert found["time"] == [T8] * 6 + ["2026-01-05T00:00:00Z"]
    answer = await client.post("/lookup?time_format=ms", json={"dataset": "funding", "rows": [row(T8)]})
    assert answer.json()["data"]["time"] == [1767600000000]


async def test_columns_instead_of_rows(client: httpx.AsyncClient, rates: Database) -> None:
    rows = [row(T8), row(DAY, "hyperliquid"), row(T8, instrument="btcusdt")]
    columns = {name: [r.get(name) for r in rows] for name in ("time", "exchange", "asset", "instrument")}
    answer = await client.post("/lookup", json={"dataset": "funding", "columns": columns})
    assert answer.json()["data"] == (await ask(client, *rows))["data"]


async def test_the_main_contract_that_has_a_rate(client: httpx.AsyncClient, clean_database: Database) -> None:
    db = clean_database
    told = {"BTCUSD_PERP": {0: 1e-6, 8: 1e-6, 16: 1e-6}, "BTCUSDC": {0: 2e-6, 8: 2e-6}, "BTCUSDT": {0: 3e-6}}
    for symbol, rates in told.items():
        await facts.settle(db, await facts.series(db, "binance", symbol), rates, hours=8)
    found = await ask(client, *(row(facts.at(h).isoformat()) for h in (1, 12, 13, 21, 29)))
    assert found["data"]["rate_native"] == [3e-6, 3e-6, 2e-6, 1e-6, None]
    one = await ask(client, row(facts.at(1).isoformat(), instrument="btcusd_perp"))
    assert one["data"]["rate_native"] == [1e-6]


async def test_the_preferred_source_that_has_a_rate(client: httpx.AsyncClient, clean_database: Database) -> None:
    db = clean_database
    own = await facts.series(db, "binance", "BTCUSDT")
    velo = (await reference.series_of(db, "velo", "binance"))["BTCUSDT"].id
    await facts.settle(db, own, {0: 1e-6}, hours=8)
    await facts.settle(db, velo, {0: 2e-6, 8: 2e-6}, hours=8)
    rows = [row(facts.at(h).isoformat()) for h in (1, 12, 13)]
    assert (await ask(client, *rows))["data"]["rate_native"] == [1e-6, 1e-6, 2e-6]
    assert (await ask(client, *rows, source="velo"))["data"]["rate_native"] == [2e-6] * 3


async def test_known_at_shows_what_was_stored_then(client: httpx.AsyncClient, rates: Database) -> None:
    before = datetime.now(UTC)
    series = await facts.series(rates, "binance", "BTCUSDT")
    await facts.settle(rates, series, {8: 5e-4, 12: 6e-4}, hours=8)
    rows = [row(T8), row("2026-01-05T13:00:00Z")]
    assert (await ask(client, *rows))["data"]["rate_native"] == [5e-4, 6e-4]
    then = await ask(client, *rows, known_at=before.isoformat())
    assert then["data"]["rate_native"] == [9e-6, 9e-6]
    assert datetime.fromisoformat(then["meta"]["window"]["known_at"]) == before
    assert (await ask(client, *rows, known_at="2020-01-01"))["data"]["rate_native"] == [None, None]


async def test_the_future_is_answered_as_of_now(client: httpx.AsyncClient, rates: Database) -> None:
    body = await ask(client, row("2099-01-01T00:00:00Z"))
    assert body["data"]["time"] == ["2099-01-01T00:00:00Z"]
    assert any("future" in notice for notice in body["meta"]["notices"])


async def test_where_nothing_is_listed_it_is_said(client: httpx.AsyncClient, rates: Database) -> None:
    body = await ask(client, row(T8, "okx"), row(T8))
    assert body["data"]["rate_native"] == [None, 9e-6]
    assert body["meta"]["notices"] == ["okx has no perpetual of BTC, as far as we know"]
    assert (await ask(client))["data"]["rate"] == []


async def test_rows_that_will_not_do_are_named(client: httpx.AsyncClient, rates: Database) -> None:
    bad = [row(T8), row("soon"), {"exchange": "binance", "asset": "BTC"}, row(True), row(T8, asset="a\0"), row(T8, "")]
    body = await refused(client, 400, rows=bad + [row(1.5)] * 20)
    named = [(wrong["parameter"], wrong["value"]) for wrong in body["errors"]]
    assert body["code"] == "bad_rows"
    assert len(named) == 10
    assert named[:5] == [
        ("body.rows.1.time", "soon"),
        ("body.rows.2.time", None),
        ("body.rows.3.time", "True"),
        ("body.rows.4.asset", "a\0"),
        ("body.rows.5.exchange", ""),
    ]
    columns = {"time": [T8, "x"], "exchange": ["binance"] * 2, "asset": ["BTC"] * 2}
    body = await refused(client, 400, columns=columns)
    assert body["errors"][0]["parameter"] == "body.columns.time.1"


async def test_names_nobody_knows_are_named_with_the_nearest(client: httpx.AsyncClient, rates: Database) -> None:
    unknown = await refused(client, 404, rows=[row(T8), row(T8, asset="bitcoim"), row(T8, asset="zzzzq")])
    assert (unknown["code"], unknown["candidates"][0]) == ("unknown_asset", "bitcoin")
    assert [e["parameter"] for e in unknown["errors"]] == ["body.rows.1.asset", "body.rows.2.asset"]
    exchange = await refused(client, 400, rows=[row(T8), row(T8, "binanze")])
    assert (exchange["code"], exchange["candidates"]) == ("unknown_exchange", ["binance"])
    assert exchange["errors"][0]["parameter"] == "body.rows.1.exchange"
    symbol = await refused(client, 404, rows=[row(T8, instrument="ETHUSDT")])
    assert (symbol["code"], symbol["errors"][0]["parameter"]) == ("unknown_instrument", "body.rows.0.instrument")
    source = await refused(client, 400, rows=[row(T8)], source="nobody")
    assert source["code"] == "unknown_source"


async def test_any_name_of_an_asset_and_two_that_share_one(client: httpx.AsyncClient, rates: Database) -> None:
    assert (await ask(client, row(T8, asset="BTCUSDT")))["data"]["asset"] == ["BTC"]
    for number in (1, 2):
        insert = "insert into entity (canonical_id, name, symbol, type) values ($1, $1, 'TWICE', 'token')"
        await rates.reads.execute(insert, f"twice-{number}")
    body = await refused(client, 409, rows=[row(T8), row(T8, asset="twice")])
    assert body["candidates"] == ["twice-1", "twice-2"]


WITHOUT_ANSWER: list[tuple[Any, str]] = [
    ({"rows": []}, "body.dataset"),
    ({"dataset": "candles", "rows": []}, "body.dataset"),
    ({"dataset": "funding", "rows": [], "per": "day"}, "body.per"),
    ({"dataset": "funding", "rows": [], "at": T8}, "body.at"),
    ({"dataset": "funding", "rows": [], "known_at": "soon"}, "body.known_at"),
    ({"dataset": "funding"}, "body"),
    ({"dataset": "funding", "rows": [], "columns": {}}, "body"),
    ({"dataset": "funding", "rows": [1]}, "body.rows.0"),
    ({"dataset": "funding", "rows": [row(T8, symbol="x")]}, "body.rows"),
    ({"dataset": "funding", "columns": {"time": [T8]}}, "body.columns"),
    ([], "body"),
]


async def test_questions_that_have_no_answer(client: httpx.AsyncClient) -> None:
    for body, parameter in WITHOUT_ANSWER:
        answer = await client.post("/lookup", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, parameter), answer.text


async def test_bodies_that_are_no_json(client: httpx.AsyncClient) -> None:
    for text in ("{", "", "[NaN]", '"\\ud800"', "[" * 100_000):
        answer = await client.post("/lookup", content=text, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_body")


async def test_other_media_and_too_many_rows(client: httpx.AsyncClient) -> None:
    assert (await client.post("/lookup", content="a,b", headers={"Content-Type": "text/csv"})).status_code == 415
    columns = {"time": [0] * 100_001, "exchange": ["binance"] * 100_001, "asset": ["BTC"] * 100_001}
    assert (await refused(client, 413, columns=columns))["code"] == "too_large"


async def test_history_is_read_in_parts(
    client: httpx.AsyncClient, rates: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans that are far apart, and more history than is read at once, change nothing."""
    rows = [row(facts.at(h / 2).isoformat(), exchange) for h in range(96) for exchange in ("binance", "hyperliquid")]
    whole = (await ask(client, *rows))["data"]
    monkeypatch.setattr(lookup, "APART_US", lookup.HOUR_US // 4)
    assert (await ask(client, *rows))["data"] == whole
    monkeypatch.setattr(lookup, "APART_US", 48 * lookup.HOUR_US)
    monkeypatch.setattr(lookup, "HOURS_A_READ", 5)
    assert (await ask(client, *rows))["data"] == whole


async def test_reading_may_need_a_key(client: httpx.AsyncClient, rates: Database) -> None:
    client._transport.app.state.settings.read_requires_key = True  # type: ignore[attr-defined]
    answer = await client.post("/lookup", json={"dataset": "funding", "rows": []})
    assert answer.status_code == 401


async def test_nobody_of_an_asset_is_another_instrument(client: httpx.AsyncClient, rates: Database) -> None:
    """A dated future is no contract to look up."""
    await reference.put_instruments(rates, "binance", [Instrument("BTCUSDT_260626", "BTC", "USDT", kind="future")])
    body = await refused(client, 404, rows=[row(T8, instrument="BTCUSDT_260626")])
    assert body["code"] == "unknown_instrument"
