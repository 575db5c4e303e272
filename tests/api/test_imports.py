"""Imports taken back: every answer and every table is then as it was, whoever wrote before, between and after."""

import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest

from app.db import Database
from app.services import batches, keys, rollup, store
from tests.api.bringing import SYMBOLS, answers, bring, contents, hours_ago, pulled, rates, settlement, take_back
from tests.db.facts import series, settle


async def test_wrong_rows_over_right_ones(writer: httpx.AsyncClient, clean_database: Database) -> None:
    db, count = clean_database, 50_000 // len(SYMBOLS)
    await pulled(db, SYMBOLS[:4], count)
    await bring(writer, "funding", rates(SYMBOLS[4:], count))
    await bring(writer, "open-interest", [
        {"time": hours_ago(h), "exchange": "okx", "instrument": "BTC-USDT-SWAP", "oi_usd": 5e6} for h in range(80)
    ])  # fmt: skip
    before_it = datetime.now(UTC)
    said, held = await answers(writer, before_it), await contents(db)

    wrong = await bring(writer, "funding", rates(SYMBOLS, count, factor=3.0))
    prices = {"open": 7.0, "high": 8.0, "low": 6.0, "close": 7.0}
    others = [
        await bring(writer, "open-interest", [
            {"time": hours_ago(h / 2), "exchange": exchange, "instrument": symbol, "oi_usd": 9e9, "oi_base": 1.0}
            for h in range(160) for exchange, symbol in (("bybit", "BTCUSDT"), ("okx", "BTC-USDT-SWAP"))
        ]),
        await bring(writer, "candles", [
            {"time": hours_ago(h), "exchange": "bybit", "instrument": "BTCUSDT", "interval": "1h", **prices}
            for h in range(1, 90)
        ]),
        await bring(writer, "candles", [
            {"time": hours_ago(h / 60), "exchange": "bybit", "instrument": "BTCUSDT", **prices} for h in range(1, 120)
        ]),
        await bring(writer, "funding", [settlement(h / 2, 0.5, kind="predicted") for h in range(1, 9)]),
        await bring(writer, "funding", [settlement(h + 0.5, 0.5, declared) for h in range(300)
                                        for declared in ("BTCUSDT", "ETHUSDT")]),
    ]  # fmt: skip
    spoilt = await answers(writer, before_it)
    assert {question for question in said if said[question] != spoilt[question]} >= {
        question for question in said if "known_at" not in question and "exchanges" not in question
    } - {"/instruments {}", "/entities/ETH {}"}
    same = {question for question in said if "known_at" in question}
    assert {question: spoilt[question] for question in same} == {question: said[question] for question in same}

    record = await take_back(writer, wrong)
    assert (record["state"], record["received"], record["updated"]) == ("taken_back", 50_000, 50_000 - len(SYMBOLS))
    for number in reversed(others):
        await take_back(writer, number)
    found, kept = await answers(writer, before_it), await contents(db)
    assert {question for question in said if said[question] != found[question]} == set()
    assert kept == held


async def test_taken_back_twice_unknown_and_running(writer: httpx.AsyncClient, clean_database: Database) -> None:
    number = await bring(writer, "funding", [settlement(h, 1e-4, asset="BTC") for h in range(8)])
    first = await take_back(writer, number)
    assert first["state"] == "taken_back"
    assert first["taken_back_at"] is not None
    assert await take_back(writer, number) == first
    assert (await take_back(writer, number + 1, 404))["code"] == "unknown_import"
    async with batches.begun(clean_database, "funding", "x", batches.Writer("w", "api")) as running:
        assert (await take_back(writer, running or 0, 409))["code"] == "import_runs"


async def test_what_stores_nothing_is_no_import(writer: httpx.AsyncClient, clean_database: Database) -> None:
    for rows in ([], [settlement(9, 99.0)]):
        assert await bring(writer, "funding", rows) is None
    assert (await writer.get("/admin/imports")).json()["data"] == []


async def test_the_list_of_imports(writer: httpx.AsyncClient) -> None:
    rows = [settlement(h, 1e-4, asset="BTC") for h in range(3)]
    numbers = [await bring(writer, "funding", rows), await bring(writer, "funding", [*rows, settlement(9, 99.0)])]
    assert await bring(writer, "funding", rows, dry_run=True) is None
    answer = (await writer.get("/admin/imports", params={"order": "desc", "limit": 1})).json()
    row = answer["data"][0]
    assert {name: row[name] for name in row if not name.endswith("_at")} == {
        "id": numbers[1], "dataset": "funding", "source": "bybit", "who": "test", "via": "api", "state": "stored",
        "file": f"application/json: {len(json.dumps([*rows, settlement(9, 99.0)]))} bytes",
        "received": 4, "inserted": 0, "updated": 0, "unchanged": 3, "rejected": 1,
    }  # fmt: skip
    rest = (await writer.get(answer["page"]["next_url"])).json()["data"]
    assert [row["id"] for row in rest] == numbers[:1]
    assert (await writer.get("/admin/imports", params={"state": "failed"})).json()["data"] == []


async def test_a_broken_body_is_an_import_that_failed(writer: httpx.AsyncClient) -> None:
    answer = await writer.post("/funding", content=b"[{]", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    (row,) = (await writer.get("/admin/imports")).json()["data"]
    assert (row["state"], row["inserted"], row["taken_back_at"]) == ("failed", 0, None)


async def test_what_an_import_made_goes_with_it(writer: httpx.AsyncClient, clean_database: Database) -> None:
    held = await contents(clean_database)
    assert (await writer.get("/entities/NEWCOIN")).status_code == 404
    row = {"time": hours_ago(1), "exchange": "newplace", "asset": "NEWCOIN", "rate": 1e-4}
    number = await bring(writer, "funding", [row], create_assets=True, source="newsource")
    assert (await writer.get("/entities/NEWCOIN")).status_code == 200
    await rollup.refresh(clean_database)
    await take_back(writer, number)
    assert (await writer.get("/entities/NEWCOIN")).status_code == 404
    assert await contents(clean_database) | {"import_made": None} == held | {"import_made": None}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_what_two_imports_use_goes_with_the_last(
    writer: httpx.AsyncClient, clean_database: Database, order: tuple[int, int]
) -> None:
    held = await contents(clean_database)
    row = {"time": hours_ago(1), "exchange": "newplace", "asset": "NEWCOIN"}
    numbers = [
        await bring(writer, "funding", [row | {"rate": 1e-4}], create_assets=True),
        await bring(writer, "open-interest", [row | {"oi_usd": 5.0}]),
    ]
    await take_back(writer, numbers[order[0]])
    assert (await writer.get("/entities/NEWCOIN")).status_code == 200
    await take_back(writer, numbers[order[1]])
    assert (await writer.get("/entities/NEWCOIN")).status_code == 404
    assert await contents(clean_database) == held


async def test_a_contract_gets_its_coin_from_an_import_for_as_long_as_that_is_there(
    writer: httpx.AsyncClient, clean_database: Database
) -> None:
    to = await series(clean_database, "bybit", "ODDUSDT", "NOBODYKNOWS")
    await settle(clean_database, to, {0: 1e-4, 8: 1e-4})
    held = await contents(clean_database)
    number = await bring(writer, "funding", [settlement(1, 1e-4, "ODDUSDT", asset="BTC")])
    owner = "select entity_id is not null from instrument where symbol = 'ODDUSDT'"
    assert await clean_database.reads.fetchval(owner)
    await take_back(writer, number)
    assert await contents(clean_database) == held


async def test_settled_and_predicted_funding_are_one_import(
    writer: httpx.AsyncClient, clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [settlement(h, 1e-4, asset="BTC", kind=kind) for h in range(5) for kind in ("settled", "predicted")]
    held = await contents(clean_database)
    number = await bring(writer, "funding", rows)
    await take_back(writer, number)
    assert await contents(clean_database) == held

    into = store.merge.merge

    async def fails(copy: object, fact: str, *rest: object, **more: object) -> tuple[int, int]:
        if fact == "predicted_funding":
            raise OSError("the disk is full")
        return await into(copy, fact, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(store.merge, "merge", fails)
    with pytest.raises(OSError, match="disk"):
        await writer.post("/funding", json=rows)
    (row,) = (await writer.get("/admin/imports", params={"state": "failed"})).json()["data"]
    assert (row["received"], row["inserted"], row["rejected"]) == (5, 5, 0)
    monkeypatch.undo()
    await take_back(writer, row["id"])
    assert await contents(clean_database) == held


async def test_taking_back_needs_an_admin(client: httpx.AsyncClient, clean_database: Database) -> None:
    key = await keys.create(clean_database, "w", ["write"])
    for method, path in (("GET", "/admin/imports"), ("DELETE", "/admin/imports/1")):
        assert (await client.request(method, path)).status_code == 401
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_imports_and_takings_back_at_once(writer: httpx.AsyncClient, clean_database: Database) -> None:
    """Nobody waits for a connection or a lock for ever."""
    rows = [[settlement(h, n / 1e4, asset="BTC") for h in range(20)] for n in range(6)]
    numbers = await asyncio.gather(*(bring(writer, "funding", told) for told in rows))
    await asyncio.gather(*(take_back(writer, number) for number in numbers))
    assert await clean_database.reads.fetchval("select count(*) from funding") == 0
    assert await clean_database.reads.fetchval("select count(*) from revision") == 0
