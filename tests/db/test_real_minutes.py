"""Three weeks of one contract as its exchange published them, snapshot after snapshot: late revisions included."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from app.db import Database
from app.services.importing import Answer, Writer, import_files, options
from tests.conftest import shared
from tests.db.importing import bring

SOL = {"exchange": "okx", "instrument": "SOL-USDT-SWAP", "asset": "SOL"}
KEY = Writer("desk", "command line")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = Mapping[str, str]


@pytest.fixture(scope="module")
def folder() -> Path:
    return shared("datasets/sol_okx_full_and_4venues_2026_06")


def rows_of(path: Path) -> Iterator[Row]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(text.decode().splitlines())


def moment(ms: str) -> datetime:
    return EPOCH + timedelta(milliseconds=int(ms))


async def brought(db: Database, dataset: str, path: Path, columns: Mapping[str, str], **values: str) -> Answer:
    """A file, its own `time` left for `ts`."""
    told = options(dataset, columns={"ts": "time", **columns}.items(), values={**SOL, **values}.items(), source="okx")
    answer = await import_files(db, dataset, [path], replace(told, writer=KEY))
    assert answer.rejected == ()
    return answer


def snapshots(path: Path) -> Iterator[tuple[str, list[Row]]]:
    """The revisions as they were published: when, and the rows of that time."""
    rows = sorted(rows_of(path), key=lambda row: int(row["committed_ts"]))
    for published, found in groupby(rows, key=lambda row: row["committed_ts"]):
        yield published, list(found)


def versions(rows: Iterable[Row], *columns: str) -> dict[datetime, list[tuple[datetime, tuple[float, ...]]]]:
    """What was said of each hour since when, the last of equal ones left out."""
    told: dict[datetime, list[tuple[datetime, tuple[float, ...]]]] = {}
    for row in rows:
        said = tuple(float(row[column]) for column in columns)
        before = told.setdefault(moment(row["ts"]), [])
        if not before or before[-1][1] != said:
            before.append((moment(row["committed_ts"]), said))
    return told


async def test_minutes_with_all_that_is_told_of_them(clean_database: Database, folder: Path) -> None:
    candles = await brought(clean_database, "candles", folder / "okx_candles_1m.csv.gz", {"volume": "volume_base"})
    assert candles.inserted == 30_803
    ratios = await brought(
        clean_database, "long-short", folder / "okx_long_short_ratio_1h.csv", {"ratio": "long_short_ratio"}
    )
    assert (ratios.received, ratios.inserted) == (513, 513)
    held = await brought(clean_database, "open-interest", folder / "okx_open_interest_1h.csv", {"oi_value": "oi_usd"})
    assert held.inserted == 513
    ratio = {moment(row["ts"]): float(row["ratio"]) for row in rows_of(folder / "okx_long_short_ratio_1h.csv")}
    usd = {moment(row["ts"]): float(row["oi_value"]) for row in rows_of(folder / "okx_open_interest_1h.csv")}
    found = await clean_database.reads.fetch("select ts, close, volume_base, long_short_ratio, oi_usd from perp_1m")
    plain = {
        moment(row["ts"]): (float(row["close"]), float(row["volume"]))
        for row in rows_of(folder / "okx_candles_1m.csv.gz")
    }
    assert {row["ts"]: (row["close"], row["volume_base"]) for row in found} == plain
    assert {row["ts"]: row["long_short_ratio"] for row in found if row["long_short_ratio"]} == ratio
    assert {row["ts"]: row["oi_usd"] for row in found if row["oi_usd"]} == usd


async def test_late_revisions_of_candles_end_as_revisions(clean_database: Database, folder: Path) -> None:
    path = folder / "okx_candles_1h_revisions.csv"
    prices = ("open", "high", "low", "close")
    for published, rows in snapshots(path):
        told = [
            {"time": int(row["ts"]), "interval": "1h", "known_at": int(published), **SOL,
             **{name: float(row[name]) for name in prices}, "volume_base": float(row["volume"])}
            for row in rows
        ]  # fmt: skip
        assert (await bring(clean_database, "candles", *told, by=KEY, source="okx")).rejected == ()
    columns = (*prices, "volume_base")
    await _compare(clean_database, "perp_1h", columns, versions(rows_of(path), *prices, "volume"))
    last = await brought(
        clean_database, "candles", folder / "okx_candles_1h.csv", {"volume": "volume_base"}, interval="1h"
    )
    assert (last.received, last.updated, last.inserted + last.unchanged) == (513, 0, 513), "nothing was revised since"


async def test_late_revisions_of_taker_volume_end_as_revisions(clean_database: Database, folder: Path) -> None:
    """The exchange tells USD; they are brought as coins at the close of their hour, as its last candle says."""
    close = {row["ts"]: float(row["close"]) for row in rows_of(folder / "okx_candles_1h.csv")}
    path = folder / "okx_taker_volume_1h_revisions.csv"

    def in_coins(row: Row, *columns: str) -> list[float]:
        return [float(row[column]) / close[row["ts"]] for column in columns]

    for published, rows in snapshots(path):
        told = [
            {"time": int(row["ts"]), "interval": "1h", "known_at": int(published), **SOL,
             **dict(zip(("buy_volume_base", "sell_volume_base"), in_coins(row, "buyVol", "sellVol"), strict=True))}
            for row in rows
        ]  # fmt: skip
        assert (await bring(clean_database, "taker-volume", *told, by=KEY, source="okx")).rejected == ()
    coins = [{**row, "buy": str(in_coins(row, "buyVol")[0]), "sell": str(in_coins(row, "sellVol")[0])}
             for row in rows_of(path)]  # fmt: skip
    told_since = versions(coins, "buy", "sell")
    assert sum(len(said) > 1 for said in told_since.values()) > 100
    await _compare(clean_database, "perp_1h", ("buy_volume_base", "sell_volume_base"), told_since)


async def _compare(
    db: Database,
    fact: str,
    columns: tuple[str, ...],
    told: Mapping[datetime, list[tuple[datetime, tuple[float, ...]]]],
) -> None:
    """What is stored now, and what every moment at which something changed is answered, right before and at it."""
    names = ", ".join(columns)
    now = {row["ts"]: tuple(row)[1:] for row in await db.reads.fetch(f"select ts, {names} from {fact}")}
    assert now == {ts: said[-1][1] for ts, said in told.items()}
    changes = sum(len(said) - 1 for said in told.values())
    assert await db.reads.fetchval("select count(*) from revision where fact = $1 and not repeats", fact) == changes
    moments = sorted({since for said in told.values() for since, _ in said})
    for known_at in (m - timedelta(seconds=s) for m in moments for s in (1, 0)):
        rows = await db.reads.fetch(f"select ts, {names} from {fact}_known($1)", known_at)
        expected = {ts: [values for since, values in said if since <= known_at][-1:] for ts, said in told.items()}
        assert {row["ts"]: tuple(row)[1:] for row in rows} == {ts: one[0] for ts, one in expected.items() if one}
