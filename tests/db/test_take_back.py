"""A writer taken out of the history of rows: as if it had never written, whatever the order."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg
import pytest

from app.db import Database
from app.models import Base
from app.services import batches, rollup, store
from app.services.batches import Writer
from app.services.queries import sql
from tests.db.facts import at, batch, series, stored_intervals

KEY = Writer("desk", "api", "a body")
Row = dict[str, object]


async def write(db: Database, fact: str, rows: Sequence[Row], *, by: Writer | None = KEY) -> int:
    """Write rows as an import, or as a pull without a writer; returns the number of the import (0: a pull)."""
    async with batches.begun(db, fact, "test", by) as number:

        async def tell(copy: object, written: store.Written) -> None:
            if number is not None:
                await batches.count(copy, number, written.received, written.inserted, written.updated)  # type: ignore[arg-type]
                await batches.finish(copy, number, written.received, 0)  # type: ignore[arg-type]

        await store.put(db, fact, [batch(fact, rows)], at_the_end=tell, batch=number)
    return number or 0


def rates(to: int, told: dict[float, float]) -> list[Row]:
    return [{"series_id": to, "ts": at(h), "rate": rate} for h, rate in told.items()]


async def everything(db: Database) -> list[list[asyncpg.Record]]:
    """All facts with their history, what is newest, and the rollup once it is up to date."""
    await rollup.refresh(db)
    tables = {
        "funding": "1, 2", "open_interest": "1, 2", "revision": "id", "latest": "1", "coin_1h": "1, 2",
    }  # fmt: skip
    found = [await db.reads.fetch(f"select * from {table} order by {order}") for table, order in tables.items()]
    return [*found, await db.reads.fetch("select entity_id, first_ts from coin_1h_ready")]


async def test_new_rows_go(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    before = await everything(clean_database)
    number = await write(clean_database, "funding", rates(btc, {0: 0.1, 8: 0.2}))
    await batches.take_back(clean_database, number)
    assert await everything(clean_database) == before
    assert await clean_database.reads.fetchval("select count(*) from latest") == 0


async def test_what_rows_said_before_is_said_again(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await write(clean_database, "funding", rates(btc, {0: 0.1, 8: 0.2, 16: 0.3}), by=None)
    await write(clean_database, "funding", rates(btc, {8: 0.25}))
    before = await everything(clean_database)
    number = await write(clean_database, "funding", rates(btc, {4: 9.0, 8: 9.0, 16: 0.3, 20: 9.0}))
    assert await stored_intervals(clean_database, btc) != [(0, 8, 0), (8, 8, 1), (16, 8, 1)]
    await batches.take_back(clean_database, number)
    assert await everything(clean_database) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_over_the_same_rows(clean_database: Database, order: tuple[int, int]) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await write(clean_database, "funding", rates(btc, {0: 0.1, 8: 0.2, 16: 0.3}), by=None)
    before = await everything(clean_database)
    both = [
        await write(clean_database, "funding", rates(btc, {8: 1.0, 16: 1.0, 20: 1.0})),
        await write(clean_database, "funding", rates(btc, {8: 2.0, 16: 0.3, 20: 1.0, 24: 2.0})),
    ]
    await batches.take_back(clean_database, both[order[0]])
    left = {0: {8: 2.0, 16: 0.3, 24: 2.0}, 1: {8: 1.0, 16: 1.0, 20: 1.0}}[order[0]]
    found = await clean_database.reads.fetch("select ts, rate from funding order by ts")
    assert {(row["ts"], row["rate"]) for row in found} >= {(at(h), rate) for h, rate in left.items()}
    await batches.take_back(clean_database, both[order[1]])
    assert await everything(clean_database) == before


async def test_a_pull_after_it_stays_and_reads_as_if_it_had_come_first(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    await write(clean_database, "funding", rates(btc, {0: 0.1, 8: 0.2}), by=None)
    moment = await clean_database.reads.fetchval("select clock_timestamp()")
    number = await write(clean_database, "funding", rates(btc, {4: 9.0, 8: 9.0, 12: 9.0, 16: 9.0}))
    await write(clean_database, "funding", rates(btc, {8: 0.2, 16: 0.3, 24: 0.4}), by=None)
    await batches.take_back(clean_database, number)
    assert await stored_intervals(clean_database, btc) == [(0, 8, 0), (8, 8, 1), (16, 8, 1), (24, 8, 1)]
    found = await clean_database.reads.fetch("select rate, batch_id from funding order by ts")
    assert [tuple(row) for row in found] == [(rate, None) for rate in (0.1, 0.2, 0.3, 0.4)]
    known = await clean_database.reads.fetch("select rate from funding_known($1) order by ts", moment)
    assert [row["rate"] for row in known] == [0.1, 0.2]
    assert await clean_database.reads.fetchval("select count(*) from revision") == 0


async def test_a_later_writer_keeps_only_what_it_told_itself(clean_database: Database) -> None:
    """A null says nothing: the later version had the import's coins in it."""
    btc = await series(clean_database, "bybit", "BTCUSDT")
    first = {"series_id": btc, "ts": at(0), "oi_base": 1.0, "oi_usd": 10.0}
    await write(clean_database, "open_interest", [first], by=None)
    number = await write(clean_database, "open_interest", [first | {"oi_base": 7.0, "oi_usd": 70.0}])
    await write(clean_database, "open_interest", [first | {"oi_base": None, "oi_usd": 20.0}], by=None)
    assert tuple(await clean_database.reads.fetchrow("select oi_base, oi_usd from open_interest")) == (7.0, 20.0)
    await batches.take_back(clean_database, number)
    assert tuple(await clean_database.reads.fetchrow("select oi_base, oi_usd from open_interest")) == (1.0, 20.0)
    versions = await clean_database.reads.fetch("select said, batch_id, kept from revision")
    assert [tuple(row) for row in versions] == [('{"oi_usd": 10, "oi_base": 1}', None, ["oi_base"])]


async def test_a_row_that_others_only_judged_goes(clean_database: Database) -> None:
    """The settlement after the import's last gave that one its interval, which is nothing told of it."""
    btc = await series(clean_database, "bybit", "BTCUSDT")
    number = await write(clean_database, "funding", rates(btc, {0: 9.0, 4: 9.0, 12: 9.0}))
    await write(clean_database, "funding", rates(btc, {20: 0.1, 28: 0.1}), by=None)
    assert await clean_database.reads.fetchval("select count(*) from funding where batch_id is null") == 3
    await batches.take_back(clean_database, number)
    assert [hour for hour, *_ in await stored_intervals(clean_database, btc)] == [20, 28]
    assert await clean_database.reads.fetchval("select count(*) from revision") == 0


async def test_hours_told_in_parts(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    price = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    await write(clean_database, "perp_1h", [{"series_id": btc, "ts": at(0), **price}], by=None)
    moment = await clean_database.reads.fetchval("select clock_timestamp()")
    before = await clean_database.reads.fetch("select * from perp_1h")
    number = await write(clean_database, "perp_1h", [{"series_id": btc, "ts": at(0), **price, "trades": 5.0}])
    known = await clean_database.reads.fetchrow("select close, trades from perp_1h_known($1)", moment)
    assert known is not None
    assert tuple(known) == (1.0, None)
    await batches.take_back(clean_database, number)
    assert await clean_database.reads.fetch("select * from perp_1h") == before


def plan(chance: random.Random, to: int, *, partly: bool) -> list[list[Row]]:
    """Some writes over the same few rows."""

    def row(hour: int) -> Row:
        value = float(chance.randint(1, 3))
        if not partly:
            return {"series_id": to, "ts": at(hour * 4), "rate": value / 1000}
        told = chance.choice([("oi_base",), ("oi_usd",), ("oi_base", "oi_usd")])
        return {"series_id": to, "ts": at(hour), **dict.fromkeys(told, value)}

    return [[row(hour) for hour in sorted(chance.sample(range(8), chance.randint(1, 6)))] for _ in range(5)]


@pytest.mark.parametrize("seed", [*range(24), 397])
async def test_any_order_of_writers_and_takings_back(clean_database: Database, seed: int) -> None:
    """Against a series to which the import taken back was never written."""
    chance = random.Random(seed)
    partly = seed % 2 == 1
    fact = "open_interest" if partly else "funding"
    with_it, without = [await series(clean_database, "bybit", name, "BTC") for name in ("A", "B")]
    gone = set(chance.sample(range(5), chance.randint(1, 4)))
    pulls = {n for n in range(5) if chance.random() < 0.4 and n not in gone}
    numbers: dict[int, int] = {}
    for n, rows in enumerate(plan(chance, with_it, partly=partly)):
        numbers[n] = await write(clean_database, fact, rows, by=None if n in pulls else KEY)
        if n not in gone:
            others = [row | {"series_id": without} for row in rows]
            await write(clean_database, fact, others, by=None if n in pulls else KEY)
    for n in chance.sample(sorted(gone), len(gone)):
        await batches.take_back(clean_database, numbers[n])
    columns = "ts, oi_base, oi_usd" if partly else "ts, rate, interval_hours, interval_known"
    rows = [
        await clean_database.reads.fetch(f"select {columns} from {fact} where series_id = $1 order by ts", to)
        for to in (with_it, without)
    ]
    assert rows[0] == rows[1]
    newest = [
        await clean_database.reads.fetch("select * from latest where series_id = $1", to) for to in (with_it, without)
    ]
    assert [list(row)[1:] for row in newest[0]] == [list(row)[1:] for row in newest[1]]
    if partly:
        said = "select ts, said, kept from revision where series_id = $1 and not repeats order by ts, id"
        assert await clean_database.reads.fetch(said, with_it) == await clean_database.reads.fetch(said, without)


async def test_taken_back_by_several_at_once(clean_database: Database) -> None:
    btc = await series(clean_database, "bybit", "BTCUSDT")
    numbers = [
        await write(clean_database, fact, [{"series_id": btc, "ts": at(h), column: 1.0} for h in range(20)])
        for fact, column in (("open_interest", "oi_usd"), ("funding", "rate"))
    ]
    again = [write(clean_database, "open_interest", [{"series_id": btc, "ts": at(1), "oi_usd": 2.0}], by=None)]
    await asyncio.gather(*(batches.take_back(clean_database, n) for n in numbers * 3), *again)
    assert await clean_database.reads.fetchval("select count(*) from funding") == 0
    assert await clean_database.reads.fetch("select ts, oi_usd from open_interest") == [(at(1), 2.0)]


def test_whatever_refers_to_what_an_import_makes_keeps_it() -> None:
    """A table that gets a reference to one of these has to be asked before the thing is removed."""
    removed = {"series": "series", "instrument": "instruments", "entity": "entities", "exchange": "exchanges",
               "source": "sources"}  # fmt: skip
    for table, name in removed.items():
        referring = {
            t.name
            for t in Base.metadata.tables.values()
            for k in t.foreign_keys
            if k.column.table.name == table and k.ondelete != "CASCADE"
        }
        statement = sql("batches", f"remove_{name}")
        assert not [t for t in referring if f"select from {t} " not in statement], table


async def test_an_import_whose_process_ended_has_failed(clean_database: Database) -> None:
    insert = (
        "insert into import_batch (dataset, source, who, via, state) values ('funding', 's', 'w', 'api', 'running')"
    )
    await clean_database.reads.execute(insert)
    states = "select state from import_batch order by id"
    async with batches.begun(clean_database, "funding", "s", KEY) as number:
        await batches.settle(clean_database)
        assert [row["state"] for row in await clean_database.reads.fetch(states)] == ["failed", "running"]
        with pytest.raises(batches.RunningBatch):
            await batches.take_back(clean_database, number or 0)
    assert [row["state"] for row in await clean_database.reads.fetch(states)] == ["failed", "failed"]


async def test_a_number_nobody_has(clean_database: Database) -> None:
    with pytest.raises(batches.UnknownBatch):
        await batches.take_back(clean_database, 999)


NO_FACTS = {"revision", "import_span", "gap", "metric_value", "option_tick_late"}
"""Tables about series that a series may leave behind; series of metrics are others."""


def test_a_series_that_holds_facts_of_any_kind_is_looked_for_before_it_goes() -> None:
    holding = {name for name, table in Base.metadata.tables.items() if "series_id" in table.columns} - NO_FACTS
    looked_for = sql("batches", "remove_series")
    assert {name for name in holding if f"from {name} " not in looked_for} == set()
