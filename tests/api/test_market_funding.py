"""`GET /funding?weighted=`: every asset at once is what each asset alone is."""

import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.db import Database
from app.services.store import put
from tests.api.test_funding import iso, read
from tests.db.facts import at, batch, hold, hour_batch, series, settle

EXCHANGES = {"binance": 8, "bybit": 4, "okx": 8, "hyperliquid": 1}
COINS = ("BTC", "ETH", "SOL", "DOGE", "PEPE")


@pytest.fixture
async def several(clean_database: Database) -> Database:
    """Five coins on four exchanges over a day, holes in settlements and in weights; one coin has none."""
    dice = random.Random(7)
    for coin in COINS:
        for exchange, step in EXCHANGES.items():
            margin = dice.choice(["stable", "coin"])
            to = await series(clean_database, exchange, f"{coin}-{exchange}", coin, margin=margin)
            await settle(
                clean_database, to, {h: dice.uniform(-1e-3, 1e-3) for h in range(0, 25, step) if dice.random() > 0.2}
            )
            held = {h / 2: dice.uniform(1e6, 1e9) for h in range(49) if coin != "PEPE" and dice.random() > 0.4}
            await hold(clean_database, to, held)
            hours = [
                {"series_id": to, "ts": at(h), "close": 10.0, "volume_usd": dice.uniform(1e5, 1e7)}
                for h in range(24)
                if dice.random() > 0.3
            ]
            await put(clean_database, "perp_1h", [hour_batch(hours)])
    return clean_database


ASKED: tuple[dict[str, object], ...] = (
    {"weighted": "oi"},
    {"weighted": "volume", "per": "1y"},
    {"weighted": "equal", "per": "1h", "margin": "coin"},
    {"weighted": "oi", "exchanges": "binance,hyperliquid", "max_age": "30m"},
    {"weighted": "oi", "min_coverage": 0.8},
)


async def test_each_row_is_that_of_its_asset_alone(client: httpx.AsyncClient, several: Database) -> None:
    seen = set[str]()
    for asked in ASKED:
        for hour in (3.3, 16, 20.9, 37):
            known = iso(datetime.now(UTC)) if hour == 16 else None
            seen |= await _compare(client, **asked, at=iso(at(hour)), known_at=known)
    assert seen == {"present", "stale", "missing", "no rate", "no row"}


async def _compare(client: httpx.AsyncClient, **asked: object) -> set[str]:
    """Ask for all assets and for each alone; what there was among them."""
    seen = set[str]()
    rows: list[dict[str, object]] = (await read(client, "/funding", **asked))["data"]  # type: ignore[assignment]
    for coin in COINS:
        (alone,) = (await read(client, f"/funding/{coin}", **asked))["data"]  # type: ignore[misc]
        told = {name for name in ("present", "stale", "missing") if alone[name]}  # type: ignore[index]
        found = [{**row} for row in rows if row["asset"] == coin]
        assert len(found) == bool(told)
        for row in found:
            del row["asset"], row["next_time"]
            assert row == alone
        seen |= told | {"no rate"} if alone["rate"] is None and told else told or {"no row"}  # type: ignore[index]
    return seen


async def test_next_time_is_the_first_to_come(client: httpx.AsyncClient, clean_database: Database) -> None:
    """Of two contracts in force the earlier; of one whose settlement is late the one after it; none out of force."""
    slow, quick = await series(clean_database, "binance", "A"), await series(clean_database, "hyperliquid", "B")
    await settle(clean_database, slow, {0: 1e-4, 8: 1e-4}, hours=8)
    await settle(clean_database, quick, {7: 1e-4, 8: 1e-4}, hours=1)
    for hour, due in ((8.5, 9), (9, 10), (9.2, 10), (12, 16), (16, 24), (18, 24), (21, None)):
        (row,) = (await read(client, "/funding", weighted="equal", at=iso(at(hour))))["data"]  # type: ignore[misc]
        assert (hour, row["next_time"]) == (hour, due and iso(at(due)))  # type: ignore[index]
        alone = (await read(client, "/funding", at=iso(at(hour))))["data"]
        soonest = min((one["next_time"] for one in alone), default=None)  # type: ignore[attr-defined]
        assert (hour, soonest) == (hour, due and iso(at(due)))


async def test_next_time_while_a_pull_is_late(client: httpx.AsyncClient, clean_database: Database) -> None:
    """Without an instant too: what settled but was not pulled yet is not what comes next."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    settled = {"okx": now - timedelta(minutes=65), "bybit": now - timedelta(minutes=95)}
    for exchange, ts in settled.items():
        to = await series(clean_database, exchange, "BTC")
        rate = {"series_id": to, "ts": ts, "rate": 1e-4, "interval_hours": 1.0}
        await put(clean_database, "funding", [batch("funding", [rate])])
    rows = {row["exchange"]: row["next_time"] for row in (await read(client, "/funding"))["data"]}  # type: ignore[attr-defined]
    assert rows == {"okx": iso(settled["okx"] + timedelta(hours=2)), "bybit": None}


async def test_without_an_instant_it_is_now(client: httpx.AsyncClient, clean_database: Database) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for n, coin in enumerate(("BTC", "ETH", "SOL")):
        to = await series(clean_database, "okx", f"{coin}-USDT-SWAP", coin)
        rate = {"series_id": to, "ts": now, "rate": 1e-4 * (n + 1), "interval_hours": 8.0}
        await put(clean_database, "funding", [batch("funding", [rate])])
        await put(
            clean_database, "open_interest", [batch("open_interest", [{"series_id": to, "ts": now, "oi_usd": 5.0}])]
        )
    first = await read(client, "/funding", weighted="oi", limit=2)
    second = (await client.get(first["page"]["next_url"])).json()  # type: ignore[index]
    rows = [*first["data"], *second["data"]]  # type: ignore[misc]
    assert [(row["asset"], row["rate"], row["oi_usd"]) for row in rows] == [
        ("BTC", 1e-4, 5),
        ("ETH", 2e-4, 5),
        ("SOL", pytest.approx(3e-4), 5),
    ]
    assert {row["time"] for row in rows} == {rows[0]["time"]}
    assert all(row["next_time"] == iso(now + timedelta(hours=8)) for row in rows)
    (one,) = (await read(client, "/funding", weighted="oi", assets="eth"))["data"]  # type: ignore[misc]
    assert one["asset"] == "ETH"  # type: ignore[index]


async def test_why_it_is_empty(client: httpx.AsyncClient, clean_database: Database) -> None:
    async def why(**asked: object) -> object:
        found = await read(client, "/funding", weighted="oi", **asked)
        assert found["data"] == []
        return found["meta"]["notices"]  # type: ignore[index]

    assert await why() == ["no rows: no perpetual is known with these filters"]
    to = await series(clean_database, "okx", "BTC")
    assert await why() == ["no rows: not fetched yet"]
    await settle(clean_database, to, {0: 1e-4}, hours=8)
    assert await why(at=iso(at(-1))) == [f"no rows: no rate settled in the 30 days before {iso(at(-1))}"]
    assert await why(margin="coin") == ["no rows: no perpetual is known with these filters"]
    (notice,) = await why(at=iso(at(1)), known_at=iso(at(2)))  # type: ignore[misc]
    assert notice == f"no rows: no rate settled in the 30 days before {iso(at(1))}, as known at known_at"


@pytest.mark.parametrize("path", ["/funding", "/funding/BTC"])
@pytest.mark.parametrize("words", [{"max_age": "2h"}, {"min_coverage": 0.0}])
async def test_what_is_of_means_needs_one(client: httpx.AsyncClient, path: str, words: dict[str, str]) -> None:
    answer = await client.get(path, params=words)
    (name,) = words
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, name)
    assert "weighted=oi" in answer.json()["detail"]
    assert (await client.get(path, params={"weighted": "oi", **words})).status_code == 200
