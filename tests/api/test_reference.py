"""What exists, and what it is called."""

from datetime import UTC, datetime

import httpx
import pytest

from app.db import Database
from app.records import Instrument
from app.services import reference
from app.services.entities import AmbiguousName, UnknownName, find_asset
from tests.db import facts


async def data(client: httpx.AsyncClient, path: str) -> list[dict[str, object]]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture
async def listed(clean_database: Database) -> Database:
    """A few contracts, and facts of one of them."""
    await reference.put_instruments(
        clean_database,
        "binance",
        [
            Instrument("BTCUSDT", "BTC", "USDT"),
            Instrument("BTCUSDT", "BTC", "USDT", kind="spot"),
            Instrument("1000PEPEUSDT", "1000PEPE", "USDT", multiplier=1000),
            Instrument("OLDUSDT", "ETH", "USDT", active=False, delisted_at=datetime(2024, 1, 1, tzinfo=UTC)),
        ],
    )
    await reference.put_instruments(clean_database, "gate", [Instrument("BTC/USDT:USDT", "BTC", "USDT")])
    series = (await reference.series_of(clean_database, "binance", "binance"))["BTCUSDT"].id
    await facts.settle(clean_database, series, dict.fromkeys((0, 8, 16, 24, 28, 32, 36), 1e-4))
    return clean_database


@pytest.mark.parametrize(
    ("text", "canonical", "multiplier"),
    [
        ("bitcoin", "bitcoin", 1),
        ("BITCOIN", "bitcoin", 1),
        ("BTC", "bitcoin", 1),
        ("btc", "bitcoin", 1),
        (" btc ", "bitcoin", 1),
        ("BTCUSDT", "bitcoin", 1),
        ("btcusdt", "bitcoin", 1),
        ("PEPE", "pepe", 1),
        ("kPEPE", "pepe", 1000),
        ("1000PEPE", "pepe", 1000),
        ("1000PEPEUSDT", "pepe", 1000),
        ("eq-meta", "eq-meta", 1),
    ],
)
async def test_find_asset(listed: Database, text: str, canonical: str, multiplier: float) -> None:
    found = await find_asset(listed, text)
    assert (found.canonical_id, found.multiplier) == (canonical, multiplier)


async def test_shared_symbols_are_not_guessed(listed: Database) -> None:
    with pytest.raises(AmbiguousName) as caught:
        await find_asset(listed, "meta")
    assert "eq-meta" in {entity.canonical_id for entity in caught.value.candidates}


async def test_canonical_id_wins_over_a_shared_symbol(listed: Database) -> None:
    found = await find_asset(listed, "velo")
    assert found.canonical_id == "velo"
    with pytest.raises(AmbiguousName):
        await find_asset(listed, "VELO")


async def test_unknown_asset_has_near_names(listed: Database) -> None:
    with pytest.raises(UnknownName) as caught:
        await find_asset(listed, "etherium")
    assert "ethereum" in caught.value.nearest
    with pytest.raises(UnknownName) as caught:
        await find_asset(listed, "q" * 128)
    assert caught.value.nearest == ()


async def test_asset_in_rows_is_accepted_back(client: httpx.AsyncClient, listed: Database) -> None:
    for row in await data(client, "/entities?limit=10000"):
        shared = row["asset"] != row["symbol"]
        assert row["asset"] == (row["canonical_id"] if shared else row["symbol"])
    for name in ("META", "VELO"):
        for row in await data(client, f"/resolve?id={name}"):
            assert (await find_asset(listed, str(row["asset"]))).canonical_id == row["canonical_id"]


async def test_entities_are_searched(client: httpx.AsyncClient, listed: Database) -> None:
    found = await data(client, "/entities?q=BITCOIN&type=Chain")
    assert "bitcoin" in {row["canonical_id"] for row in found}
    assert {row["type"] for row in found} == {"chain"}
    known = await data(client, "/entities?source=gate&q=bitcoin")
    assert "bitcoin" in {row["canonical_id"] for row in known}
    assert await data(client, "/entities?source=nobody") == []


async def test_entity(client: httpx.AsyncClient, listed: Database) -> None:
    (row,) = await data(client, "/entities/btcusdt")
    assert (row["canonical_id"], row["symbol"], row["asset"]) == ("bitcoin", "BTC", "BTC")
    assert {"exchange", "symbol", "kind", "margin", "quote", "active"} == set(row["instruments"][0])  # type: ignore[index]
    assert any(alias["source"] == "coingecko" for alias in row["source_ids"])  # type: ignore[attr-defined]
    (held,) = row["data"]  # type: ignore[misc]
    assert (held["dataset"], held["first"], held["last"]) == ("funding", "2026-01-05T00:00:00Z", "2026-01-06T12:00:00Z")


async def test_resolve_lists_all_candidates(client: httpx.AsyncClient) -> None:
    body = (await client.get("/resolve?id=META")).json()
    assert len(body["data"]) > 1
    assert body["meta"]["notices"]
    (row,) = await data(client, "/resolve?id=kPEPE")
    assert (row["canonical_id"], row["multiplier"]) == ("pepe", 1000)
    assert (await client.get("/resolve?id=nonesuch-at-all")).status_code == 404


async def test_resolve_of_one_source(client: httpx.AsyncClient, listed: Database) -> None:
    (row,) = await data(client, "/resolve?id=1000PEPEUSDT&source=binance")
    assert (row["canonical_id"], row["multiplier"]) == ("pepe", 1000)
    assert (await client.get("/resolve?id=1000PEPEUSDT&source=hyperliquid")).status_code == 404


async def test_exchanges(client: httpx.AsyncClient, listed: Database) -> None:
    found = {row["exchange"]: row for row in await data(client, "/exchanges")}
    assert (found["binance"]["instruments"], found["hyperliquid"]["funding_interval_hours"]) == (3, 1)
    await reference.series_of(listed, "velo", "binance")
    for order, sources in ((), ["binance", "velo"]), (("velo", "exchange"), ["velo", "binance"]):
        await reference.prefer(listed, order or ("exchange", "import"))
        found = {row["exchange"]: row for row in await data(client, "/exchanges")}
        assert (found["binance"]["sources"], found["okx"]["sources"]) == (sources, [])


async def test_sources(client: httpx.AsyncClient) -> None:
    found = {row["source"]: row for row in await data(client, "/sources")}
    bybit = found["bybit"]
    assert (bybit["key_needed"], bybit["pulled"]) == (False, True)
    assert "funding" in {feed["dataset"] for feed in bybit["schedule"]}  # type: ignore[attr-defined]
    assert all(str(row["terms_url"]).startswith("https://") for row in found.values())


async def test_datasets_tell_the_unit_of_every_field(client: httpx.AsyncClient) -> None:
    found = {(row["path"], row["row"]): row for row in await data(client, "/datasets")}
    fields = {field["field"]: field for field in found["/funding/{asset}", "Settlement"]["fields"]}  # type: ignore[attr-defined]
    assert fields["interval_hours"]["unit"] == "hours"
    assert fields["time"]["kind"] == "time"
    assert ("/funding/{asset}", "WeightedFunding") in found
    assert {"funding", "open_interest", "candles"} <= {row["dataset"] for row in found.values()}


async def test_instruments(client: httpx.AsyncClient, listed: Database) -> None:
    found = await data(client, "/instruments?asset=btc&exchange=binance,gate")
    assert [(row["exchange"], row["symbol"], row["kind"]) for row in found] == [
        ("binance", "BTCUSDT", "perp"),
        ("binance", "BTCUSDT", "spot"),
        ("gate", "BTC/USDT:USDT", "perp"),
    ]
    assert [row["symbol"] for row in await data(client, "/instruments?active=FALSE")] == ["OLDUSDT"]
    assert [row["kind"] for row in await data(client, "/instruments?asset=BTC&kind=SPOT")] == ["spot"]


async def test_instruments_of_what_does_not_exist(client: httpx.AsyncClient) -> None:
    wrong = await client.get("/instruments?exchange=binanc")
    assert (wrong.status_code, wrong.json()["candidates"]) == (400, ["binance"])
    assert (await client.get("/instruments?kind=swap")).status_code == 400


@pytest.mark.parametrize("spelled", ["BTC%2FUSDT:USDT", "btc/usdt:usdt", "BTC%2FUSDT%3AUSDT"])
async def test_instrument_with_a_slash(client: httpx.AsyncClient, listed: Database, spelled: str) -> None:
    (row,) = await data(client, f"/instruments/gate/{spelled}")
    assert (row["symbol"], row["multiplier"], row["asset"]) == ("BTC/USDT:USDT", 1, "BTC")
    assert await data(client, f"/instruments/gate/{spelled}/funding-intervals") == []


async def test_instrument_fields_are_those_of_the_contract(client: httpx.AsyncClient, listed: Database) -> None:
    (row,) = await data(client, "/instruments/binance/1000PEPEUSDT")
    assert ", ".join(row) == (
        "exchange, symbol, asset, kind, margin, quote, contract_size, multiplier, funding_interval_hours, active, "
        "listed_at, delisted_at, oi_sides"
    )


async def test_funding_intervals_are_stretches(client: httpx.AsyncClient, listed: Database) -> None:
    found = await data(client, "/instruments/binance/btcusdt/funding-intervals")
    assert [(row["from"], row["to"], row["hours"]) for row in found] == [
        ("2026-01-05T00:00:00Z", "2026-01-06T04:00:00Z", 8),
        ("2026-01-06T04:00:00Z", None, 4),
    ]
    assert [row["known"] for row in found] == ["inferred", "inferred"]
    before = await client.get("/instruments/binance/btcusdt/funding-intervals", params={"known_at": "2026-01-01"})
    assert before.json()["meta"]["notices"] == [
        "no rows: no settlement is known of it by known_at, nor what its exchange declares"
    ]


async def test_a_mistyped_exchange_of_a_contract_is_named(client: httpx.AsyncClient, listed: Database) -> None:
    answer = await client.get("/instruments/binanse/BTCUSDT/facts")
    body = answer.json()
    assert (answer.status_code, body["code"], body["errors"][0]["parameter"]) == (404, "unknown_exchange", "exchange")
    assert "binance" in body["candidates"]
