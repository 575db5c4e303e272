"""Days of ticks are archived, dropped, tidied, compressed and told of like those of minutes."""

from datetime import UTC, timedelta
from pathlib import Path

import polars as pl
import pytest

from app.db import Database
from app.services import compression, partitions, retention, storage, ticks, tidy
from app.services.store import put
from app.settings import OF_OPTIONS
from tests.db.facts import batch, series, without_days
from tests.db.ticks import DAY, MIDNIGHT, MS, NOW, book, quote, trade

OLD = MIDNIGHT - 3 * DAY
TOLD = {
    "option_1m": {"bid": 0.05, "mark_iv": 0.55},
    "greeks": {"delta": 0.5, "rho": -0.1},
    "index_price": {"close": 90_000.0},
}


async def filled(db: Database) -> int:
    """Ticks of three days ago and today, and what is told by the minute of three days ago; their series."""
    to = await series(db, "bybit", "BTCUSDT")
    for day, seq in ((OLD, 0), (MIDNIGHT, 10)):
        await ticks.put(db, "option_tick", [quote(to, day + n * MS, None if n == 3 else 1.0 + n) for n in range(5)])
        await ticks.put(db, "option_trade", [trade(to, day + n * MS, seq + n) for n in range(5)])
        await ticks.put(db, "depth", [book(to, day + n * MS, 90.0 + n, n) for n in range(5)])
    for fact, told in TOLD.items():
        await put(db, fact, [batch(fact, [{"series_id": to, "ts": OLD, "known_at": OLD, **told}])])
    return to


async def of_old(db: Database, fact: str) -> list[dict[str, object]]:
    """What is stored of three days ago, as an archive spells it."""
    rows = [dict(row) for row in await db.reads.fetch(f"select * from {fact} where ts < $1 order by ts", OLD + DAY)]
    for row in rows:
        row["time"] = row.pop("ts")
        del row["series_id"]
        row.pop("batch_id", None)
        if "side" in row:
            row["side"] = {1: "buy", -1: "sell"}[row["side"]]
    return rows


async def test_every_fact_of_options_is_archived_and_dropped(ticking: Database, tmp_path: Path) -> None:
    await filled(ticking)
    stored = {fact: await of_old(ticking, fact) for fact in OF_OPTIONS}
    assert [len(stored[fact]) for fact in OF_OPTIONS] == [5, 5, 5, 1, 1, 1]
    removed = await retention.apply(ticking, dict.fromkeys(OF_OPTIONS, 2), NOW, tmp_path)
    assert [(one.fact, one.partitions) for one in removed] == [(fact, 1) for fact in OF_OPTIONS]
    for fact, rows in stored.items():
        assert not await of_old(ticking, fact)
        folder = tmp_path / retention.archive.DATASETS[fact]
        found = pl.read_parquet(f"{folder}/exchange=bybit/**/*.parquet").sort("time").to_dicts()
        assert [{name: row[name] for name in rows[0]} for row in found] == rows, fact
        assert {row["instrument"] for row in found} == {"BTCUSDT"}
    assert await ticking.reads.fetchval("select count(*) from option_tick") == 5


async def test_what_comes_while_a_day_is_archived_is_archived(
    ticking: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, archived, late = await filled(ticking), retention.archive._write, [trade(1, OLD, 9)]

    async def and_write(*told: object) -> None:
        await archived(*told)  # type: ignore[arg-type]
        if late:
            assert await ticks.put(ticking, "option_trade", [(to, *late.pop()[1:])]) == 1

    monkeypatch.setattr(retention.archive, "_write", and_write)
    await retention.apply(ticking, {"option_trade": 2}, NOW, tmp_path)
    assert sorted(pl.read_parquet(f"{tmp_path}/**/*.parquet")["trade_seq"]) == [0, 1, 2, 3, 4, 9]


async def test_storage_tells_of_ticks(ticking: Database) -> None:
    await filled(ticking)
    await retention.apply(ticking, {"depth": 2}, NOW)
    tables = {row["table"]: row for row in await storage.tables(ticking, dict.fromkeys(OF_OPTIONS, 2), NOW)}
    for fact in OF_OPTIONS:
        assert tables[fact]["retention_days"] == 2
        assert tables[fact]["partitions"] >= 1
    assert tables["option_tick"]["first_partition"] == OLD
    assert tables["depth"]["removed_before"] == MIDNIGHT - 2 * DAY
    assert tables["depth"]["first_partition"] > OLD
    assert tables["option_tick_1h"]["partitions"] is None


async def test_keys_of_finished_days_of_ticks_are_made_anew(ticking: Database) -> None:
    if not await ticking.reads.fetchval(partitions.IS_NATIVE, "option_tick"):
        pytest.skip("chunks of TimescaleDB are left to their compression")
    await without_days(ticking, *tidy.FACTS)
    for to in (1, 2):
        await ticks.put(ticking, "option_tick", [quote(to, MIDNIGHT - MS, 1.0), quote(to, MIDNIGHT, 1.0)])
        await ticks.put(ticking, "option_trade", [trade(to, MIDNIGHT - MS, 1)])
    names = [f"{fact}_p{MIDNIGHT - DAY:%Y%m%d}_pkey" for fact in ("option_tick", "option_trade")]
    assert await tidy.finished_days(ticking, MIDNIGHT) == names
    assert await tidy.finished_days(ticking, MIDNIGHT + timedelta(hours=1)) == []


async def test_late_ticks_of_compressed_days(ticking: Database, tmp_path: Path) -> None:
    """On TimescaleDB: what comes late of a compressed day is stored once, and the day can be archived and dropped."""
    to = await filled(ticking)
    found = await compression.ensure(ticking)
    if await ticking.reads.fetchval("select current_setting('timescaledb.license', true)") != "timescale":
        assert found == []
        pytest.skip("a server without compression")
    assert found == list(compression.COMPRESSIBLE)
    for fact in OF_OPTIONS:
        await ticking.reads.execute(
            "select compress_chunk(c) from show_chunks($1::text::regclass, older_than => $2::timestamptz) c",
            *(fact, MIDNIGHT.astimezone(UTC)),
        )
    sizes = {row["table"]: row for row in await storage.tables(ticking, {}, NOW)}
    assert [sizes[fact]["compressed_partitions"] for fact in OF_OPTIONS] == [1] * len(OF_OPTIONS)
    known = [trade(to, OLD + n * MS, n) for n in range(5)]
    assert await ticks.put(ticking, "option_trade", [*known, trade(to, OLD + 9 * MS, 9), trade(to, NOW, 15)]) == 2
    assert await ticks.put(ticking, "option_trade", [trade(to, OLD + 8 * MS, 8)]) == 1
    replaced = [quote(to, OLD, 7.0, 2 * MS), quote(to, OLD + 9 * MS, 9.0)]
    assert await ticks.put(ticking, "option_tick", replaced) == 1
    assert await ticks.put(ticking, "depth", [book(to, OLD, 1.0), book(to, OLD + 9 * MS, 95.0)]) == 1
    assert [row["bid"] for row in await of_old(ticking, "option_tick")] == [1.0, 2.0, 3.0, None, 5.0, 9.0]
    assert await ticks.newest_trades(ticking, [to], OLD) == {to: (15, NOW)}
    (hole,) = await ticks.missing_trades(ticking, [to], OLD - DAY, OLD - DAY)
    assert hole == (to, 5, 7, OLD + 4 * MS, OLD + 8 * MS)
    stored = {fact: await of_old(ticking, fact) for fact in OF_OPTIONS}
    assert [len(stored[fact]) for fact in OF_OPTIONS] == [6, 7, 6, 1, 1, 1]
    await retention.apply(ticking, dict.fromkeys(OF_OPTIONS, 2), NOW, tmp_path)
    for fact in ("option_trade", "depth"):
        folder = tmp_path / retention.archive.DATASETS[fact]
        found_rows = pl.read_parquet(f"{folder}/**/*.parquet").sort("time").to_dicts()
        assert [{name: row[name] for name in stored[fact][0]} for row in found_rows] == stored[fact]
        assert not await of_old(ticking, fact)
