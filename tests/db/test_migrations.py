"""Migrations: up, down and up again, by several processes at once, and equal to the models."""

import asyncio
import re
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from app.db import Database, connected, migrate
from app.models import Base
from app.records import IndexPrice, Instrument, OptionSnapshot
from app.services import batch, gaps, partitions, reference, store

LISTED = datetime(2020, 3, 15, tzinfo=UTC)


async def tables(db: Database) -> set[str]:
    async with db.engine.connect() as connection:
        found = await connection.execute(text("select tablename from pg_tables where schemaname = 'public'"))
        return set(found.scalars())


def difference(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata))


async def test_up_down_and_up_again(empty_dsn: str) -> None:
    async with connected(empty_dsn) as db:
        await migrate(db)
        assert set(Base.metadata.tables) <= await tables(db)
        await migrate(db, "base")
        assert await tables(db) <= {"alembic_version"}
        await migrate(db)
        assert set(Base.metadata.tables) <= await tables(db)


async def test_several_at_once(empty_dsn: str) -> None:
    async with connected(empty_dsn) as one, connected(empty_dsn) as two, connected(empty_dsn) as three:
        await migrate(one, "base")
        await asyncio.gather(migrate(one), migrate(two), migrate(three))
        assert set(Base.metadata.tables) <= await tables(one)


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
async def test_models_equal_migrations(database: Database, table: str) -> None:
    async with database.engine.connect() as connection:
        found = await connection.run_sync(difference)
    of_table = re.compile(rf"(?<!Column\()'{table}'")  # a column may be called like a table
    assert not [change for change in found if of_table.search(repr(change))]


async def test_tables_of_the_minute_are_cut_by_time(database: Database) -> None:
    """Hypertables where the server has TimescaleDB, native partitions elsewhere."""
    timescale = await database.reads.fetchval("select true from pg_extension where extname = 'timescaledb'")
    if timescale:
        found = await database.reads.fetch("select hypertable_name from timescaledb_information.hypertables")
    else:
        found = await database.reads.fetch("select relname from pg_class where relkind = 'p'")
    assert {row[0] for row in found} == set(partitions.SPANS)


SIDES = "select value, valid_from, known_at from {} where fact = 'oi_sides' order by valid_from"
OLD = """
with x as (insert into exchange (slug, name) values ('bybit', 'Bybit') returning id), i as (
  insert into instrument (exchange_id, symbol, kind, margin, oi_sides, listed_at)
  select id, 'BTCUSDT', 'perp', 'stable', 2, '2020-03-15Z' from x returning id)
insert into instrument_fact (instrument_id, fact, valid_from, value, source, known_at)
select id, 'oi_sides', '2026-10-01Z', '2', 'bybit', '2026-10-01Z' from i
"""


async def test_what_was_noted_undated_stays_what_was_known_then(empty_dsn: str) -> None:
    """Bybit tells one side since June. That it tells two was noted in October: corrected, up and down, and kept."""
    changed, noted = datetime(2026, 6, 11, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    listed = Instrument(
        "BTCUSDT", "BTC", "USDT", listed_at=LISTED, oi_sides=1, oi_sides_since=changed, oi_sides_before=2
    )
    async with connected(empty_dsn) as db:
        await migrate(db, "base")
        await migrate(db, "0004")
        await db.reads.execute(OLD)
        before = await db.reads.fetch(SIDES.format("instrument_fact"))
        await migrate(db)
        for _ in range(2):
            await reference.put_instruments(db, "bybit", [listed])
        now = await db.reads.fetch(SIDES.format("instrument_fact_known(null)"))
        assert [(row["value"], row["valid_from"]) for row in now] == [("2", LISTED), ("1", changed)]
        then = await db.reads.fetch(SIDES.format("instrument_fact_known($1)"), noted)
        assert then == before
        assert [row["value"] for row in before] == ["2"]
        kept = await db.reads.fetch(SIDES.format("instrument_fact"))
        await migrate(db, "0004")
        assert await db.reads.fetch(SIDES.format("instrument_fact")) == kept
        await migrate(db)
        assert await db.reads.fetch(SIDES.format("instrument_fact_known(null)")) == now


async def test_options_indexes_and_gaps_of_ticks_are_gone_where_nobody_knows_of_them(empty_dsn: str) -> None:
    now = datetime(2026, 6, 11, tzinfo=UTC)
    terms = {"strike": 1.0, "option_type": "call", "expires_at": datetime(2030, 12, 25, 8, tzinfo=UTC)}
    listed = [
        Instrument("BTC-PERPETUAL", "BTC", "USD", margin="coin", listed_at=LISTED),
        Instrument("BTC-25DEC30-1-C", "BTC", "BTC", "option", "coin", listed_at=LISTED, **terms),
        Instrument("btc_usd", "BTC", "USD", "index", listed_at=LISTED),
    ]
    async with connected(empty_dsn) as db:
        await migrate(db, "base")
        await migrate(db)
        await reference.put_instruments(db, "deribit", listed)
        series = await reference.series_of(db, "deribit", "deribit", ("perp", "option", "index"))
        told = [OptionSnapshot("BTC-25DEC30-1-C", now, mark_price=0.1), IndexPrice("btc_usd", now, 1.0)]
        for fact, columns in batch.columns(told, series)[0].items():
            await store.put(db, fact, [columns])
        later = now.replace(hour=1)
        words = ("outage", "unfillable", "")
        perpetual = series["BTC-PERPETUAL"].id
        kept = gaps.Hole(perpetual, "candles_1m", now, later, *words)
        await gaps.note(db, [kept, *(gaps.Hole(to.id, "book", now, later, *words) for to in series.values())])
        while await db.reads.fetchval("select version_num from alembic_version") > "0006":
            await migrate(db, "-1")
        assert [row["symbol"] for row in await db.reads.fetch("select symbol from instrument")] == ["BTC-PERPETUAL"]
        assert await db.reads.fetchval("select array_agg(id) from series") == [perpetual]
        assert [row["dataset"] for row in await db.reads.fetch("select dataset from gap")] == ["candles_1m"]
        await migrate(db)
        await reference.put_instruments(db, "deribit", listed)
        assert len(await reference.series_of(db, "deribit", "deribit", ("perp", "option", "index"))) == 3
