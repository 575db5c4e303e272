"""What is laid into minutes, and taken back: as if it had never been, whoever wrote before, between and after."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.db import Database
from app.services import batches, store
from app.services.batch import apart
from app.services.batches import Writer
from tests.api.bringing import contents
from tests.db.facts import DAY, batch, series
from tests.db.importing import bring
from tests.db.minutes import tell
from tests.db.test_import_minutes import LAID, own
from tests.db.test_take_back import write

__all__ = ["own"]
KEY = Writer("desk", "api", "a body")
MINUTE = timedelta(minutes=1)
BTC = {"exchange": "okx", "instrument": "BTC-USDT-SWAP"}
Row = dict[str, object]


def event(to: int, seconds: float, quantity: float, side: int = 1, price: float = 10.0) -> Row:
    key = apart(DAY + timedelta(seconds=seconds), "long" if side == 1 else "short", price, quantity)
    return {"series_id": to, "ts": key, "side": side, "price": price, "quantity": quantity}


async def laid(db: Database, *columns: str, to: int | None = None) -> list[tuple[object, ...]]:
    """These columns of the minutes there are: minutes after the start of the test day, and what they say."""
    names = ", ".join(columns or LAID)
    rows = await db.reads.fetch(
        f"select ts, {names} from perp_1m where $1::int is null or series_id = $1 order by series_id, ts", to
    )
    return [((row["ts"] - DAY) / MINUTE, *list(row)[1:]) for row in rows]


async def test_events_that_are_pulled_are_laid(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    await write(clean_database, "liquidation", [event(btc, 1, 1.0), event(btc, 59, 3.0, -1, 14.0)], by=None)
    await write(clean_database, "liquidation", [event(btc, 2, 2.0), event(btc, 60, 5.0)], by=None)
    assert await laid(clean_database) == [(0, 12, 3, 3), (1, 10, 5, 0)]
    known = "select max(known_at) from perp_1m having max(known_at) >= (select max(known_at) from liquidation)"
    assert await clean_database.reads.fetchval(known) is not None, "not before what it is made of"
    assert await clean_database.reads.fetchval("select count(*) from import_span") == 0


async def test_what_comes_late_is_laid_over_a_minute_that_was_told_to_have_none(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    await tell(clean_database, btc, [0, 1], long_liquidation_base=0.0, short_liquidation_base=0.0)
    await write(clean_database, "liquidation", [event(btc, 59, 3.0, -1, 14.0)], by=None)
    assert await laid(clean_database) == [(0, 14, 0, 3), (1, None, 0, 0)]
    said = "select said->>'short_liquidation_base' from revision where fact = 'perp_1m'"
    assert await clean_database.reads.fetchval(said) == "0", "until then nobody knew of it"


async def test_what_is_laid_is_not_known_before_the_rest_of_its_row(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    price = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    late = datetime(2026, 2, 1, tzinfo=UTC)
    await write(clean_database, "perp_1m", [{"series_id": btc, "ts": DAY, **price, "known_at": late}], by=None)
    told = event(btc, 1, 1.0) | {"known_at": late - timedelta(days=1)}
    await write(clean_database, "liquidation", [told], by=None)
    assert await laid(clean_database, "known_at", "close") == [(0, late, 1)]
    after = await clean_database.reads.fetch("select * from perp_1m_known($1)", late - timedelta(hours=1))
    assert after == []


async def test_samples_that_are_imported_are_laid_and_pulled_ones_are_not(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    rows = [{"series_id": btc, "ts": DAY + timedelta(seconds=s), "oi_usd": float(s)} for s in (1, 30, 59, 60)]
    await write(clean_database, "open_interest", rows, by=None)
    assert await laid(clean_database) == []
    again = [row | {"oi_base": 2.0} for row in rows]
    await write(clean_database, "open_interest", again)
    assert await laid(clean_database, "oi_base", "oi_usd") == [(0, 2, 59), (1, 2, 60)]
    rate = [
        {"series_id": btc, "ts": DAY + timedelta(seconds=s), "rate": s / 1e6, "interval_hours": 8.0} for s in (1, 3)
    ]
    await write(clean_database, "predicted_funding", rate)
    columns = ("oi_usd", "predicted_rate", "predicted_interval_hours")
    assert await laid(clean_database, *columns) == [(0, 59, 3e-6, 8), (1, 60, None, None)]


@pytest.mark.parametrize(
    ("exchange", "source", "is_laid"),
    [("okx", "okx", True), ("okx", "import", True), ("okx", "desk", True), ("kraken", "import", False)],
)
async def test_whose_samples_are_laid(clean_database: Database, exchange: str, source: str, is_laid: bool) -> None:
    row = {"time": "2026-01-05T00:00:30Z", "exchange": exchange, "asset": "BTC", "oi_usd": 5.0}
    for oi in (5.0, 6.0):
        answer = await bring(clean_database, "open-interest", {**row, "oi_usd": oi}, by=KEY, source=source)
        assert (answer.received, answer.inserted + answer.updated) == (1, 1), "what is laid is not counted"
        assert await laid(clean_database, "oi_usd") == ([(0, oi)] if is_laid else [])


async def test_a_perpspec_of_another_exchange_has_its_samples_laid(clean_database: Database) -> None:
    insert = "insert into perpspec (name, exchange, kind, fields) values ('kra-oi', 'kraken', 'oi', '{oi}')"
    await clean_database.reads.execute(insert)
    try:
        row = {"time": "2026-01-05T00:00:30Z", "exchange": "kraken", "asset": "BTC", "oi_usd": 5.0}
        await bring(clean_database, "open-interest", row, by=KEY)
        assert await laid(clean_database, "oi_usd") == [(0, 5)]
    finally:
        await clean_database.reads.execute("delete from perpspec where name = 'kra-oi'")


async def test_of_aggregators_nothing_is_laid(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    await clean_database.reads.execute("update source set slug = 'velo' where slug = 'okx'")
    await write(clean_database, "open_interest", [{"series_id": btc, "ts": DAY, "oi_usd": 1.0}])
    assert await laid(clean_database) == []


async def test_minutes_that_retention_removed_stay_removed(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    gone = "insert into retention (fact, removed_before) values ('perp_1m', $1)"
    await clean_database.reads.execute(gone, DAY + MINUTE)
    await write(clean_database, "liquidation", [event(btc, 59.9, 1.0), event(btc, 60, 5.0)])
    rows = [{"series_id": btc, "ts": DAY + n * MINUTE, "oi_usd": 7.0} for n in range(3)]
    await write(clean_database, "open_interest", rows)
    assert await laid(clean_database, "oi_usd", "long_liquidation_base") == [(1, 7, 5), (2, 7, None)]
    assert await clean_database.reads.fetchval("select count(*) from liquidation") == 2


async def told_before(db: Database) -> int:
    """A contract of which the engine told candles, liquidations and samples."""
    btc = await series(db, "okx", "BTC-USDT-SWAP")
    price = dict.fromkeys(("open", "high", "low", "close"), 10.0)
    rows = [{"series_id": btc, "ts": DAY + n * MINUTE, **price} for n in range(3)]
    await write(db, "perp_1m", rows, by=None)
    await write(db, "liquidation", [event(btc, 1, 1.0), event(btc, 61, 2.0, -1)], by=None)
    await write(db, "open_interest", [{"series_id": btc, "ts": DAY, "oi_usd": 5.0}], by=None)
    return btc


BROUGHT: Sequence[tuple[str, Row]] = [
    ("liquidations", {"side": "long", "price": 11.0, "quantity": 4.0}),
    ("open-interest", {"oi_usd": 6.0, "oi_base": 3.0}),
    ("funding", {"kind": "predicted", "rate": 1e-4, "interval_hours": 8.0}),
    ("long-short", {"long_short_ratio": 1.25}),
    ("taker-volume", {"buy_volume_base": 1.0, "sell_volume_base": 2.0}),
    ("perp-data", {"vwap": 10.5}),
    ("candles", {"open": 7.0, "high": 8.0, "low": 6.0, "close": 7.0}),
]


@pytest.mark.parametrize("seed", range(2))
async def test_each_kind_taken_back_leaves_everything_as_it_was(own: Database, seed: int) -> None:
    await told_before(own)
    before, numbers = await contents(own), []
    for dataset, values in BROUGHT:
        rows = [{"time": (DAY + n * MINUTE).isoformat(), **BTC, **values} for n in range(5)]
        answer = await bring(own, dataset, *rows, by=KEY, source="okx")
        assert answer.rejected_count == 0
        assert answer.inserted + answer.updated == 5
        numbers += answer.imports
    assert (await laid(own, "oi_usd", "predicted_rate", "vwap", "long_liquidation_base"))[0] == (0, 6, 1e-4, 10.5, 5)
    random.Random(seed).shuffle(numbers)
    for number in numbers:
        await batches.take_back(own, number)
    assert await contents(own) == before


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_liquidations_and_takings_back(clean_database: Database, seed: int) -> None:
    """Against a series to which the imports taken back were never written."""
    chance = random.Random(seed)
    with_it, without = [await series(clean_database, "okx", name, "BTC") for name in ("A", "B")]
    gone = set(chance.sample(range(5), chance.randint(1, 4)))
    pulls = {n for n in range(5) if chance.random() < 0.4 and n not in gone}
    numbers: dict[int, int] = {}
    for n in range(5):
        picked = [(chance.randrange(4) * 30, float(chance.randint(1, 3)), chance.choice((1, -1))) for _ in range(3)]
        for to in (with_it, without) if n not in gone else (with_it,):
            rows = [event(to, *one) for one in dict.fromkeys(picked)]
            made = await write(clean_database, "liquidation", rows, by=None if n in pulls else KEY)
            numbers.setdefault(n, made)
    for n in chance.sample(sorted(gone), len(gone)):
        await batches.take_back(clean_database, numbers[n])
    assert await laid(clean_database, to=with_it) == await laid(clean_database, to=without)


async def test_versions_in_between_are_without_what_was_taken_back(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    number = await write(clean_database, "liquidation", [event(btc, 1, 1.0)])
    for n in range(2, 5):
        await write(clean_database, "liquidation", [event(btc, n, 10.0**n)], by=None if n == 3 else KEY)
    await write(clean_database, "liquidation", [event(btc, 1, 1.0)])
    await batches.take_back(clean_database, number)
    assert await laid(clean_database) == [(0, 10, 11101, 0)]
    rows = await clean_database.reads.fetch(
        "select said->'long_liquidation_base' as sum from revision where fact = 'perp_1m' and not repeats order by id"
    )
    assert [row["sum"] for row in rows] == ["100", "1100", "11100"]


async def test_a_dry_run_leaves_nothing(clean_database: Database) -> None:
    btc = await series(clean_database, "okx", "BTC-USDT-SWAP")
    rows = [batch("liquidation", [event(btc, 1, 1.0)])]
    assert (await store.put(clean_database, "liquidation", rows, dry_run=True)).inserted == 1
    assert await laid(clean_database) == []
