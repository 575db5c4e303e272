"""Editing the master of entities over HTTP, and what is unmapped."""

import time
from typing import Any

import httpx
import pytest

from app.db import Database
from app.records import Instrument, SourceAsset
from app.services import keys, reference
from app.services.source_assets import put_source_assets
from tests.api.test_funding import iso
from tests.db.facts import at, series, settle

NEW = {"canonical_id": "t-new", "name": "New Coin", "symbol": "TNEW", "type": "token", "sector": "gaming"}
EDITS = [
    ("POST", "/entities", NEW),
    ("PUT", "/entities/pepe", {"name": "x"}),
    ("POST", "/entities/pepe/source-ids", {"source": "binance", "source_id": "X"}),
    ("POST", "/entities/merge", {"from": "pepe", "into": "bonk"}),
]


async def one(client: httpx.AsyncClient, asset: str) -> dict[str, Any]:
    """An entity as reading shows it."""
    (row,) = (await client.get(f"/entities/{asset}")).raise_for_status().json()["data"]
    return row


async def made(writer: httpx.AsyncClient, **changes: str) -> dict[str, Any]:
    """A new entity."""
    answer = await writer.post("/entities", json={**NEW, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"][0]


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(("method", "path", "body"), EDITS)
async def test_edits_need_the_admin_scope(
    client: httpx.AsyncClient, clean_database: Database, method: str, path: str, body: dict[str, str]
) -> None:
    assert problem(await client.request(method, path, json=body)) == (401, "key_required")
    key = await keys.create(clean_database, "w", ["write"])
    less = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
    assert problem(less) == (403, "scope_missing")
    assert (await one(client, "pepe"))["name"] == "Pepe"


async def test_a_new_entity(writer: httpx.AsyncClient) -> None:
    answer = await writer.post("/entities", json={**NEW, "canonical_id": "T-New", "type": "TOKEN"})
    assert answer.status_code == 201
    assert (answer.headers["location"], answer.headers["cache-control"]) == ("/entities/t-new", "no-store")
    (row,) = answer.json()["data"]
    assert row == {**NEW, "asset": "TNEW", "source_ids": [], "instruments": [], "data": []}
    assert (await writer.get(answer.headers["location"])).json()["data"] == [row]
    assert answer.json()["meta"]["notices"] == []
    again = await writer.post("/entities", json={**NEW, "name": "Other"})
    assert problem(again) == (409, "entity_exists")
    assert again.json()["candidates"] == ["t-new"]
    assert (await one(writer, "t-new"))["name"] == "New Coin"


@pytest.mark.parametrize("changes", [{"symbol": "btc"}, {"canonical_id": "btc"}, {"symbol": "Bitcoin"}])
async def test_a_shared_name_is_told(writer: httpx.AsyncClient, changes: dict[str, str]) -> None:
    answer = await writer.post("/entities", json={**NEW, **changes})
    assert answer.status_code == 201
    assert answer.json()["meta"]["notices"] == ["its name may also mean bitcoin: use canonical ids"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("canonical_id", "has space"),
        ("canonical_id", "-x"),
        ("canonical_id", ""),
        ("canonical_id", "x" * 65),
        ("canonical_id", "x\n"),
        ("name", ""),
        ("name", "  "),
        ("name", "a\tb"),
        ("name", "a\u202eb"),
        ("name", "a\x00b"),
        ("name", "\ud800"),
        ("name", "x" * 129),
        ("name", None),
        ("symbol", "A,B"),
        ("symbol", ""),
        ("type", "coin"),
        ("type", None),
        ("sector", "\x7f"),
        ("extra", "x"),
    ],
)
async def test_a_bad_entity(writer: httpx.AsyncClient, field: str, value: str | None) -> None:
    import json

    content = json.dumps({**NEW, field: value})  # as escapes: a lone surrogate is no UTF-8
    answer = await writer.post("/entities", content=content, headers={"Content-Type": "application/json"})
    assert problem(answer)[0] == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [f"body.{field}"]
    assert (await writer.get("/entities/t-new")).status_code == 404


@pytest.mark.parametrize("field", ["canonical_id", "name", "symbol", "type"])
async def test_a_field_is_missing(writer: httpx.AsyncClient, field: str) -> None:
    answer = await writer.post("/entities", json={name: value for name, value in NEW.items() if name != field})
    assert answer.json()["errors"] == [{"parameter": f"body.{field}", "value": None, "reason": "missing"}]


async def test_a_correction(writer: httpx.AsyncClient) -> None:
    before = await one(writer, "pepe")
    answer = await writer.put("/entities/PEPE", json={"name": "Pepe the Frog", "sector": None})
    assert answer.status_code == 200
    changed = {**before, "name": "Pepe the Frog", "sector": None}
    assert answer.json()["data"] == [changed]
    assert await one(writer, "pepe") == changed
    await writer.put("/entities/pepe", json={"symbol": "FROG", "type": "chain", "sector": "l1"})
    assert await one(writer, "frog") == {**changed, "symbol": "FROG", "asset": "FROG", "type": "chain", "sector": "l1"}
    assert (await writer.put("/entities/pepe", json={})).json()["data"] == [await one(writer, "pepe")]


@pytest.mark.parametrize("body", [{"name": None}, {"type": "coin"}, {"canonical_id": "x"}, {"symbol": ""}])
async def test_a_bad_correction(writer: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await writer.put("/entities/pepe", json=body)
    assert problem(answer)[0] == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [f"body.{name}" for name in body]


@pytest.mark.parametrize(("method", "path", "body"), [edit for edit in EDITS if "pepe" in edit[1]])
async def test_edits_of_what_is_unknown_or_ambiguous(
    writer: httpx.AsyncClient, method: str, path: str, body: dict[str, str]
) -> None:
    unknown = await writer.request(method, path.replace("pepe", "pepee"), json=body)
    assert problem(unknown) == (404, "unknown_asset")
    assert "pepe" in {name.lower() for name in unknown.json()["candidates"]}
    ambiguous = await writer.request(method, path.replace("pepe", "CAT"), json=body)
    assert problem(ambiguous) == (409, "ambiguous_asset")
    assert set(ambiguous.json()["candidates"]) == {"simons-cat", "eq-cat"}


async def test_an_edit_is_seen_in_remembered_answers(writer: httpx.AsyncClient, clean_database: Database) -> None:
    """An answer about the past is remembered; an edit makes it another."""
    await settle(clean_database, await series(clean_database, "okx", "BTC-USDT-SWAP"), {0: 1e-4, 8: 1e-4})
    past = {"at": iso(at(8)), "exchanges": "okx"}
    for symbol in ("BTC", "XBT9", "BTC"):
        await writer.put("/entities/bitcoin", json={"symbol": symbol})
        for _ in range(2):
            rows = (await writer.get("/funding", params=past)).json()["data"]
            assert [row["asset"] for row in rows] == [symbol]


async def test_a_source_id(writer: httpx.AsyncClient, clean_database: Database) -> None:
    await made(writer)
    await reference.put_instruments(clean_database, "okx", [Instrument("TN-USDT-SWAP", "TN", "USDT")])
    told = {"source": "OKX", "source_id": "TN-USDT-SWAP", "multiplier": 10}
    answer = await writer.post("/entities/tnew/source-ids", json=told)
    assert (answer.status_code, answer.headers["location"]) == (201, "/entities/t-new")
    (row,) = answer.json()["data"]
    mapped = {"source": "okx", "source_id": "TN-USDT-SWAP", "source_id_type": "instId", "multiplier": 10}
    assert row["source_ids"] == [mapped]
    assert [contract["symbol"] for contract in row["instruments"]] == ["TN-USDT-SWAP"]
    again = await writer.post("/entities/tnew/source-ids", json=told)
    assert (again.status_code, again.json()["data"]) == (200, [row])
    (found,) = (await writer.get("/resolve?id=tn-usdt-swap&source=okx")).json()["data"]
    assert (found["canonical_id"], found["multiplier"]) == ("t-new", 10)


async def test_a_source_id_of_another(writer: httpx.AsyncClient) -> None:
    told = {"source": "binance", "source_id": "1000pepeusdt"}
    taken = await writer.post("/entities/bonk/source-ids", json=told)
    assert problem(taken) == (409, "source_id_taken")
    assert taken.json()["candidates"] == ["pepe"]
    moved = await writer.post("/entities/bonk/source-ids", json={**told, "move": True})
    assert (moved.status_code, moved.json()["meta"]["notices"]) == (200, ["moved from `pepe`"])
    (found,) = (await writer.get("/resolve?id=1000PEPEUSDT&source=binance")).json()["data"]
    assert (found["canonical_id"], found["multiplier"]) == ("bonk", 1000)


@pytest.mark.parametrize(
    ("changes", "code", "parameter"),
    [
        ({"source": "binanse"}, "unknown_source", "source"),
        ({"source": "perpstore"}, "reserved_source", "source"),
        ({"source": "a b"}, "bad_value", "source"),
        ({"source_id": "a\nb"}, "bad_value", "source_id"),
        ({"source_id": ""}, "bad_value", "source_id"),
        ({"source_id_type": "a b"}, "bad_value", "source_id_type"),
        ({"multiplier": 0}, "bad_value", "multiplier"),
        ({"multiplier": -1}, "bad_value", "multiplier"),
        ({"multiplier": 1e300}, "bad_value", "multiplier"),
        ({"move": "maybe"}, "bad_value", "move"),
    ],
)
async def test_a_bad_source_id(writer: httpx.AsyncClient, changes: dict[str, Any], code: str, parameter: str) -> None:
    answer = await writer.post("/entities/pepe/source-ids", json={"source": "okx", "source_id": "X", **changes})
    assert problem(answer) == (400, code)
    assert [error["parameter"] for error in answer.json()["errors"]] == [f"body.{parameter}"]


async def test_a_merge(writer: httpx.AsyncClient, clean_database: Database) -> None:
    await made(writer)
    await made(writer, canonical_id="t-twin", symbol="TTWIN", name="Twin Coin")
    await series(clean_database, "okx", "TTWIN-USDT-SWAP", "TTWIN")
    answer = await writer.post("/entities/merge", json={"from": "TTWIN", "into": "tnew"})
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["data"]
    assert row["canonical_id"] == "t-new"
    assert row["moved"]["instruments"] == 1
    for name in ("t-twin", "ttwin", "Twin Coin", "TTWIN-USDT-SWAP", "t-new"):
        (found,) = (await writer.get("/resolve", params={"id": name})).json()["data"]
        assert found["canonical_id"] == "t-new", name
    del row["moved"]
    assert await one(writer, "t-twin") == row
    assert (await writer.get("/entities?q=twin")).json()["data"] == []
    again = await writer.post("/entities", json={**NEW, "canonical_id": "t-twin"})
    assert problem(again) == (409, "entity_exists")
    assert again.json()["candidates"] == ["t-new"]
    assert problem(await writer.post("/entities/merge", json={"from": "t-twin", "into": "t-new"})) == (
        400,
        "same_entity",
    )


async def test_a_merge_of_different_kinds(writer: httpx.AsyncClient) -> None:
    await made(writer)
    await made(writer, canonical_id="eq-new", symbol="EQNEW", type="equity")
    order = {"from": "t-new", "into": "eq-new"}
    refused = await writer.post("/entities/merge", json=order)
    assert problem(refused) == (409, "different_kinds")
    assert (await one(writer, "t-new"))["canonical_id"] == "t-new"
    assert (await writer.post("/entities/merge", json={**order, "force": True})).status_code == 200
    assert (await one(writer, "t-new"))["canonical_id"] == "eq-new"


@pytest.mark.parametrize("body", [{}, {"from": "pepe"}, {"into": "pepe"}, {"from": "a,b", "into": "pepe"}])
async def test_a_bad_merge(writer: httpx.AsyncClient, body: dict[str, str]) -> None:
    assert problem(await writer.post("/entities/merge", json=body))[0] == 400
    assert problem(await writer.post("/entities/merge", json={"from": "pepee", "into": "pepe"})) == (
        404,
        "unknown_asset",
    )


@pytest.fixture
async def unsure(clean_database: Database) -> Database:
    """A few things nobody is sure of, and one that is known."""
    await put_source_assets(
        clean_database,
        "defillama",
        [
            SourceAsset("protocol_slug", "aave-v9", "Aave V9", "AAVE", "aave"),
            SourceAsset("protocol_slug", "pan-cake-swap", "Pan-cake Swap"),
            SourceAsset("protocol_slug", "xyzzy", "Xyzzy"),
            SourceAsset("stablecoin_id", "77777", "Pepe"),
            SourceAsset("chain_name", "Bitcoin", "Bitcoin"),
        ],
    )
    twice = [Instrument("VELOUSDT", "1000VELO", "USDT"), Instrument("VELOUSDT", "1000VELO", "USDT", kind="spot")]
    await reference.put_instruments(clean_database, "kraken", twice)
    return clean_database


async def unmapped(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    """Rows of what is unmapped."""
    return (await client.get("/quality/unmapped", params=params)).raise_for_status().json()["data"]


async def test_what_is_unmapped(client: httpx.AsyncClient, unsure: Database) -> None:
    rows = {row["source_id"]: row for row in await unmapped(client)}
    assert list(rows) == ["aave-v9", "pan-cake-swap", "xyzzy", "77777", "VELOUSDT"]
    assert ", ".join(rows["xyzzy"]) == (
        "source, source_id_type, source_id, name, ticker, coingecko_id, reason, candidates, first_seen, seen_at"
    )
    aave, velo = rows["aave-v9"], rows["VELOUSDT"]
    assert (aave["ticker"], aave["coingecko_id"], "there already" in aave["reason"]) == ("AAVE", "aave", True)
    assert aave["candidates"][0] == {
        "canonical_id": "aave",
        "name": "Aave",
        "symbol": "AAVE",
        "type": "protocol",
        "why": "coingecko_id is its canonical_id",
    }
    assert [hint["canonical_id"] for hint in rows["pan-cake-swap"]["candidates"]] == ["pancakeswap-token"]
    assert rows["xyzzy"]["candidates"] == []
    assert "no stablecoin" in rows["77777"]["reason"]
    assert (velo["source"], velo["source_id_type"], velo["name"]) == ("kraken", "instrument", "1000VELO")
    assert {"velo", "velodrome-finance"} <= {hint["canonical_id"] for hint in velo["candidates"]}
    assert all(len(row["candidates"]) <= 5 for row in rows.values())


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"source": "kraken"}, ["VELOUSDT"]),
        ({"source": "KRAKEN,defillama", "id_type": "Stablecoin_id"}, ["77777"]),
        ({"id_type": "instrument"}, ["VELOUSDT"]),
        ({"q": "CAKE"}, ["pan-cake-swap"]),
        ({"q": "1000velo"}, ["VELOUSDT"]),
        ({"q": "%"}, []),
        ({"source": "okx"}, []),
    ],
)
async def test_narrowing_what_is_unmapped(
    client: httpx.AsyncClient, unsure: Database, params: dict[str, str], ids: list[str]
) -> None:
    assert [row["source_id"] for row in await unmapped(client, **params)] == ids


async def test_pages_of_what_is_unmapped(client: httpx.AsyncClient, unsure: Database) -> None:
    whole, found, url = await unmapped(client), [], "/quality/unmapped?limit=2"
    while url:
        body = (await client.get(url)).json()
        found += body["data"]
        url = body["page"]["next_url"]
    assert found == whole
    lines = (await client.get("/quality/unmapped?format=csv")).text.splitlines()
    assert len(lines) == 1 + len(whole)


async def test_mapping_empties_the_list(writer: httpx.AsyncClient, unsure: Database) -> None:
    for row in await unmapped(writer):
        told = {name: row[name] for name in ("source", "source_id", "source_id_type")}
        assert (await writer.post("/entities/pepe/source-ids", json=told)).status_code == 201
    assert await unmapped(writer) == []
    assert (await writer.get("/instruments/kraken/VELOUSDT")).json()["data"][0]["multiplier"] == 1000


async def test_a_long_list_is_quick(client: httpx.AsyncClient, clean_database: Database) -> None:
    many = [SourceAsset("protocol_slug", f"slug-{n}", f"Protocol {n}", "BTC", f"gecko-{n}") for n in range(7_000)]
    await put_source_assets(clean_database, "defillama", many)
    begun = time.perf_counter()
    rows = await unmapped(client, limit="1000")
    assert time.perf_counter() - begun < 5
    assert len(rows) == 1000
    assert rows[0]["candidates"][0]["canonical_id"] == "bitcoin"
