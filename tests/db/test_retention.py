"""Retention drops what is old and nothing else, and leaves readers alone."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args

import asyncpg
import duckdb
import polars as pl
import pyarrow as pa
import pytest
from sqlalchemy import text

from app.db import Database, Driver, connected, writing
from app.records import Liquidation, Position
from app.services import archive, compression, partitions, reference, retention, storage
from app.services.batch import apart, columns
from app.services.importing import import_files, options
from app.services.partitions import Partition
from app.services.store import WIDE_MINUTE, put
from tests.db.facts import batch, series, without_days

NOW = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MIDNIGHT = NOW.replace(hour=0, minute=0)


def minutes(
    series_id: int, day: datetime, count: int = 3, price: float = 100.0, known_at: datetime | None = None
) -> pa.RecordBatch:
    """So many minutes from the start of a day, with a candle and a long/short ratio; `known_at` None: when stored."""
    candle = dict.fromkeys(("open", "high", "low", "close"), price)
    said = {"series_id": series_id, **candle, "long_short_ratio": 1.5, "known_at": known_at}
    rows = [{**said, "ts": day + n * MINUTE} for n in range(count)]
    names = ("series_id", "ts", *candle, "long_short_ratio", "known_at")
    return pa.RecordBatch.from_pylist(rows, pa.schema([WIDE_MINUTE.field(name) for name in names]))


DROPPED = ("perp_1m", "liquidation", "open_interest")


@pytest.fixture
async def filled(clean_database: Database) -> AsyncIterator[Database]:
    """Minutes of today and 1, 9, 10, 11 and 12 days before, a liquidation and open interest of 12 days before."""
    db = clean_database
    await without_days(db, *DROPPED)
    to = await series(db, "bybit", "BTCUSDT")
    for days in (12, 11, 10, 9, 1, 0):
        await put(db, "perp_1m", [minutes(to, MIDNIGHT - days * DAY)])
    then = MIDNIGHT - 12 * DAY + MINUTE
    closed = {"series_id": to, "ts": apart(then, "long", 100.0, 2.0), "side": 1, "price": 100.0, "quantity": 2.0}
    await put(db, "liquidation", [batch("liquidation", [closed])])
    await put(db, "open_interest", [batch("open_interest", [{"series_id": to, "ts": then, "oi_usd": 1e6}])])
    yield db
    await without_days(db, *DROPPED)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def days_of(db: Database, fact: str = "perp_1m") -> list[int]:
    """How many days before today there are rows."""
    rows = await db.reads.fetch(f"select distinct date_trunc('day', ts) as day from {fact} order by day")
    return [(MIDNIGHT - row["day"]).days for row in rows]


async def test_whole_days_go_and_nothing_else(filled: Database) -> None:
    first = await filled.reads.fetchval("select min(series_id) from perp_1m")
    await put(filled, "perp_1m", [minutes(first, MIDNIGHT - 12 * DAY, price=101.0)])  # leaves revisions
    await put(filled, "perp_1m", [minutes(first, MIDNIGHT - DAY, price=101.0)])
    before = await filled.reads.fetchrow("select * from latest")
    assert await filled.reads.fetchval("select count(*) from revision where fact = 'perp_1m'") == 6
    (removed,) = await retention.apply(filled, {"perp_1m": 10, "liquidation": 0}, NOW)
    assert await days_of(filled) == [10, 9, 1, 0]  # the day that is ten days and a half old is not over ten days
    assert (removed.fact, removed.partitions) == ("perp_1m", 2)
    assert removed.bytes > 0
    assert await retention.removed_before(filled, "perp_1m") == MIDNIGHT - 10 * DAY
    assert await filled.reads.fetchval("select count(*) from revision where fact = 'perp_1m'") == 3
    assert await days_of(filled, "liquidation") == [12]
    assert await days_of(filled, "open_interest") == [12]
    assert await retention.removed_before(filled, "liquidation") is None
    assert await filled.reads.fetchrow("select * from latest") == before
    (again,) = await retention.apply(filled, {"perp_1m": 10}, NOW)
    assert again.partitions == 0


async def test_it_ends_exactly_where_a_day_does(filled: Database) -> None:
    await retention.apply(filled, {"perp_1m": 10}, MIDNIGHT + DAY - timedelta(microseconds=1))
    assert await days_of(filled) == [10, 9, 1, 0]
    await retention.apply(filled, {"perp_1m": 10}, MIDNIGHT + DAY)
    assert await days_of(filled) == [9, 1, 0]


async def test_what_is_brought_again_goes_again_and_the_mark_stays(filled: Database) -> None:
    await retention.apply(filled, {"perp_1m": 10}, NOW)
    first = await filled.reads.fetchval("select min(series_id) from perp_1m")
    await put(filled, "perp_1m", [minutes(first, MIDNIGHT - 30 * DAY)])
    assert await days_of(filled) == [30, 10, 9, 1, 0]
    await retention.apply(filled, {"perp_1m": 10}, NOW)
    assert await days_of(filled) == [10, 9, 1, 0]
    assert await retention.removed_before(filled, "perp_1m") == MIDNIGHT - 10 * DAY


async def test_months_go_as_a_whole(filled: Database) -> None:
    await retention.apply(filled, {"open_interest": 10}, NOW)
    assert await days_of(filled, "open_interest") == [12]
    await retention.apply(filled, {"open_interest": 10}, NOW + 60 * DAY)
    assert await days_of(filled, "open_interest") == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries, close together."""
    monkeypatch.setattr(retention, "TRIES", 2)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.05)


async def test_a_long_read_is_not_cut_short_and_others_hardly_wait(filled: Database, impatient: None) -> None:
    reader = await asyncpg.connect(filled.dsn)
    waits: list[float] = []
    try:
        async with reader.transaction(readonly=True):
            cursor = await reader.cursor("select ts from perp_1m order by ts")
            await cursor.fetch(1)
            begun = time.monotonic()
            dropping = asyncio.create_task(retention.apply(filled, {"perp_1m": 10}, NOW))
            while not dropping.done():
                asked = time.monotonic()
                assert await filled.reads.fetchval("select count(*) from perp_1m") == 18
                waits.append(time.monotonic() - asked)
                await asyncio.sleep(0.01)
            assert time.monotonic() - begun < 5
            assert (await dropping)[0].partitions == 0
            assert len(await cursor.fetch(100)) == 17
        assert len(waits) > 1
        assert max(waits) < 2
        assert await days_of(filled) == [12, 11, 10, 9, 1, 0]
        assert await retention.removed_before(filled, "perp_1m") is None
    finally:
        await reader.close()
    await retention.apply(filled, {"perp_1m": 10}, NOW)
    assert await days_of(filled) == [10, 9, 1, 0]


async def test_it_comes_again_while_it_has_tries_left(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.05)
    async with writing(filled, keep=False) as reader:
        await reader.execute(text("select count(*) from perp_1m"))
        dropping = asyncio.create_task(retention.apply(filled, {"perp_1m": 10}, NOW))
        await asyncio.sleep(0.5)
    assert (await dropping)[0].partitions == 2


async def test_two_processes_at_once_and_one_that_writes(filled: Database) -> None:
    to = await filled.reads.fetchval("select min(series_id) from perp_1m")
    old = MIDNIGHT - 40 * DAY

    async def write() -> None:
        for n in range(20):
            await put(filled, "perp_1m", [minutes(to, old + n % 4 * DAY, price=100.0 + n)])

    async with connected(filled.dsn) as second:
        found = await asyncio.gather(
            *(retention.apply(db, {"perp_1m": 10}, NOW) for db in (filled, second) for _ in range(4)), write()
        )
    await retention.apply(filled, {"perp_1m": 10}, NOW)
    assert sum(removed.partitions for (removed,) in found[:-1]) >= 2
    assert await days_of(filled) == [10, 9, 1, 0]
    assert await filled.reads.fetchval("select count(*) from revision where ts < $1", MIDNIGHT - 10 * DAY) == 0


async def test_the_archive_has_every_column_and_row(filled: Database, tmp_path: Path) -> None:
    to = await series(filled, "binance", "1000PEPEUSDT", "1000PEPE")
    await put(filled, "perp_1m", [minutes(to, MIDNIGHT - 12 * DAY, 5)])
    stored = await filled.reads.fetch("select * from perp_1m where ts < $1 order by series_id, ts", MIDNIGHT - 10 * DAY)
    await retention.apply(filled, {"perp_1m": 10, "liquidation": 10}, NOW, tmp_path)
    assert await days_of(filled) == [10, 9, 1, 0]
    assert not [path for path in files(tmp_path) if path.name.startswith(".")]
    first = MIDNIGHT - 12 * DAY
    month = f"month={first:%Y-%m}"
    assert (tmp_path / "perp-1m" / "exchange=binance" / month / f"{first:%Y-%m-%d}.parquet").is_file()
    rows = duckdb.sql(
        f"select * from read_parquet('{tmp_path}/perp-1m/**/*.parquet', hive_partitioning = true) "
        "order by instrument desc, time"
    ).pl()
    assert len(rows) == len(stored) == 11
    assert rows["asset"].unique().sort().to_list() == ["bitcoin", "pepe"]
    assert rows.filter(pl.col("instrument") == "BTCUSDT")["exchange"].unique().to_list() == ["bybit"]
    for name in set(stored[0].keys()) - {"series_id", "ts", "batch_id"}:
        assert rows[name].to_list() == [row[name] for row in stored], name
    assert rows["time"].to_list() == [row["ts"] for row in stored]
    killed = pl.read_parquet(f"{tmp_path}/liquidations/**/*.parquet")
    assert killed.select("side", "price", "quantity").rows() == [("long", 100.0, 2.0)]


async def test_what_was_archived_can_be_brought_back(filled: Database, tmp_path: Path) -> None:
    to = await series(filled, "binance", "1000PEPEUSDT", "1000PEPE")
    day = MIDNIGHT - 12 * DAY
    told = [Liquidation("1000PEPEUSDT", day + n * MINUTE, side, 0.0123, 7.5 + n)
            for n in range(3) for side in get_args(Position)]  # fmt: skip
    found, _ = columns(told, await reference.series_of(filled, "binance", "binance"))
    await put(filled, "liquidation", [found["liquidation"]])
    await put(filled, "perp_1m", [minutes(to, day)])
    liquidations = "select series_id, ts, side, price, quantity, known_at from liquidation order by series_id, ts"
    candles = """select series_id, ts, open, high, low, close, known_at from perp_1m
        where ts < $1 and close is not null order by series_id, ts"""
    limit = MIDNIGHT - 10 * DAY
    before = await filled.reads.fetch(liquidations), await filled.reads.fetch(candles, limit)
    assert list(map(len, before)) == [7, 9]
    await retention.apply(filled, {"perp_1m": 10, "liquidation": 10}, NOW, tmp_path)
    assert await filled.reads.fetch(liquidations) == []
    for dataset, folder in (("liquidations", "liquidations"), ("candles", "perp-1m")):
        answer = await import_files(filled, dataset, files(tmp_path / folder), options(dataset))
        assert (answer.rejected, answer.inserted) == ((), answer.received)
    after = await filled.reads.fetch(liquidations), await filled.reads.fetch(candles, limit)
    assert after == before


async def test_what_is_dropped_again_does_not_replace_the_archive(filled: Database, tmp_path: Path) -> None:
    to = await filled.reads.fetchval("select min(series_id) from perp_1m")
    for price in (100.0, 200.0):
        await put(filled, "perp_1m", [minutes(to, MIDNIGHT - 12 * DAY, price=price)])
        await retention.apply(filled, {"perp_1m": 11}, NOW, tmp_path)
    rows = pl.read_parquet(f"{tmp_path}/perp-1m/**/*.parquet")
    assert sorted(rows["close"].to_list()) == [100.0] * 3 + [200.0] * 3


async def test_what_cannot_be_archived_stays(filled: Database, tmp_path: Path) -> None:
    (tmp_path / "perp-1m").write_text("a file where a folder has to be")
    removed = await retention.apply(filled, {"perp_1m": 10, "liquidation": 10}, NOW, tmp_path)
    assert [one.partitions for one in removed] == [0, 1]
    assert await days_of(filled) == [12, 11, 10, 9, 1, 0]
    assert await retention.removed_before(filled, "perp_1m") is None
    (error,) = await filled.reads.fetch("select * from error_log")
    assert (error["place"], error["code"], error["dataset"]) == ("retention", "archive_failed", "perp_1m")


async def test_readers_go_on_while_a_day_is_archived(filled: Database, tmp_path: Path, impatient: None) -> None:
    reader = await asyncpg.connect(filled.dsn)
    try:
        async with reader.transaction(readonly=True):
            await reader.fetch("select count(*) from perp_1m")
            (removed,) = await retention.apply(filled, {"perp_1m": 10}, NOW, tmp_path)
    finally:
        await reader.close()
    assert removed.partitions == 0
    assert not files(tmp_path)  # what was written is of what is still here


@pytest.fixture
def written_to(filled: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, datetime | None], None]:
    """Has a day written to so many times, each after a file of it was made."""

    def write(times: int, known_at: datetime | None = None) -> None:
        archived, prices = archive._write, iter(range(200, 200 + times))

        async def and_write(*told: Any) -> None:
            await archived(*told)
            if price := next(prices, None):
                to = await filled.reads.fetchval("select min(series_id) from perp_1m")
                async with asyncio.timeout(5):
                    await put(filled, "perp_1m", [minutes(to, MIDNIGHT - 12 * DAY, 1, price, known_at)])

        monkeypatch.setattr(archive, "_write", and_write)

    return write


@pytest.mark.parametrize("known_at", [None, MIDNIGHT - 12 * DAY + MINUTE])
async def test_writers_do_not_wait_for_the_archive_and_what_they_tell_is_in_it(
    filled: Database,
    tmp_path: Path,
    written_to: Callable[[int, datetime | None], None],
    known_at: datetime | None,
) -> None:
    written_to(1, known_at)
    (removed,) = await retention.apply(filled, {"perp_1m": 11}, NOW, tmp_path)
    assert removed.partitions == 1
    (file,) = files(tmp_path)
    assert pl.read_parquet(file)["close"].to_list() == [200.0, 100.0, 100.0]


async def test_a_day_that_is_always_written_to_stays(
    filled: Database, tmp_path: Path, written_to: Callable[[int, datetime | None], None], impatient: None
) -> None:
    written_to(2, None)
    (removed,) = await retention.apply(filled, {"perp_1m": 11}, NOW, tmp_path)
    assert removed.partitions == 0
    assert not files(tmp_path)
    assert await filled.reads.fetchval("select max(close) from perp_1m") == 201.0
    (removed,) = await retention.apply(filled, {"perp_1m": 11}, NOW, tmp_path)
    assert removed.partitions == 1


async def test_the_names_of_the_archive_are_on_the_disk(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda opened: synced.add(os.fstat(opened).st_ino))
    await retention.apply(filled, {"perp_1m": 11}, NOW, tmp_path)
    (file,) = files(tmp_path)
    folders = [file.parent, file.parent.parent, tmp_path / "perp-1m", tmp_path]
    assert {folder.stat().st_ino for folder in folders} <= synced


async def test_storage_tells_of_partitions_and_what_is_gone(filled: Database) -> None:
    await retention.apply(filled, {"perp_1m": 10}, NOW)
    await filled.reads.execute("analyze perp_1m")
    tables = {row["table"]: row for row in await storage.tables(filled, {"perp_1m": 10, "liquidation": 0}, NOW)}
    minute = tables["perp_1m"]
    assert minute["retention_days"] == 10
    assert minute["removed_before"] == minute["first_partition"] == MIDNIGHT - 10 * DAY
    assert (minute["last_partition"], minute["partitions"]) == (MIDNIGHT, 4)
    assert minute["rows_estimated"] == 12
    assert minute["bytes"] > minute["index_bytes"] > 0
    assert (tables["liquidation"]["retention_days"], tables["liquidation"]["removed_before"]) == (None, None)
    assert (tables["entity"]["partitions"], tables["entity"]["compressed_bytes"]) == (None, None)
    assert (tables["entity"]["bytes_per_day"], tables["liquidation"]["settles_at_bytes"]) == (None, None)


async def test_what_a_day_adds_is_of_the_days_that_ended(filled: Database) -> None:
    """Of those that ended three days ago, as they are compressed by then; of younger ones while there is no other."""
    async with filled.reads.acquire() as copy:
        listed = await partitions.listed(cast("Driver", copy), "perp_1m")

    async def a_day(now: datetime) -> float | None:
        found = {row["table"]: row for row in await storage.tables(filled, {"perp_1m": 10}, now)}["perp_1m"]
        of_both = found["bytes_per_day"], found["settles_at_bytes"]
        assert of_both[0] is None or of_both[1] == of_both[0] * 11
        return of_both[0]

    def mean(parts: list[Partition]) -> float:
        return sum(part.bytes for part in parts) / ((parts[-1].end - parts[0].start) / DAY)

    recent = [part for part in listed if NOW - 10 * DAY < part.end <= NOW - 3 * DAY]
    assert await a_day(NOW) == mean(recent)
    first = listed[0]
    assert await a_day(first.end - DAY / 2) is None
    assert await a_day(first.end + DAY / 2) == first.bytes
    assert await a_day(listed[-1].end + 30 * DAY) == 0


async def test_compression_where_the_server_can(filled: Database, tmp_path: Path) -> None:
    """On TimescaleDB: what is told of a compressed day is stored, other days stay compressed, all can be archived."""
    if await filled.reads.fetchval("select current_setting('timescaledb.license', true)") != "timescale":
        assert not await compression.ensure(filled)
        return
    assert await compression.ensure(filled)
    assert await compression.ensure(filled)
    to = await filled.reads.fetchval("select min(series_id) from perp_1m")
    await filled.reads.execute(
        "select compress_chunk(c) from show_chunks('perp_1m', older_than => $1::timestamptz) c", NOW
    )
    sizes = {row["table"]: row for row in await storage.tables(filled, {}, NOW)}["perp_1m"]
    assert sizes["compressed_partitions"] == 5
    assert sizes["compressed_bytes"] > 0
    written = await put(filled, "perp_1m", [minutes(to, MIDNIGHT - 11 * DAY, 5, price=101.0)])
    assert (written.inserted, written.updated) == (2, 3)
    sizes = {row["table"]: row for row in await storage.tables(filled, {}, NOW)}["perp_1m"]
    assert sizes["compressed_partitions"] == 4
    assert await filled.reads.fetchval("select count(*) from perp_1m where close = 101.0") == 5
    assert await filled.reads.fetchval("select count(*) from revision") == 3
    await retention.apply(filled, {"perp_1m": 10}, NOW, tmp_path)
    assert await days_of(filled) == [10, 9, 1, 0]
    assert sorted(pl.read_parquet(f"{tmp_path}/**/*.parquet")["close"].to_list()) == [100.0] * 3 + [101.0] * 5
