"""Import against raw COPY of the same rows."""

import csv
import gzip
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import asyncpg

from app.db import Database
from app.services.importing import import_files, options
from tests.bench.report import Line
from tests.conftest import SHARED

RECORDED = "datasets/funding_3venues_2025_2026/funding.csv.gz"
RAW = "create temporary table raw (exchange text, instrument text, asset text, ts timestamptz, rate float8)"
ROUNDS = 5
Told = tuple[str, str, str, datetime, float]


def told() -> tuple[str, list[Told]]:
    """Settlements of a year: recorded ones where they lie beside the repository, else made up in the same shape."""
    recorded = SHARED / RECORDED
    if recorded.exists():
        with gzip.open(recorded, "rt", encoding="utf-8") as file:
            return "recorded", [
                (r["venue"], r["venue_symbol"], r["coin"], _time(int(r["ts"])), float(r["rate_raw"]))
                for r in csv.DictReader(file)
            ]
    dice = random.Random(1)
    start = datetime(2025, 8, 21, tzinfo=UTC)
    return "made up", [
        (exchange, f"S{n}", "BTC", start + h * timedelta(hours=1), dice.uniform(-1e-3, 1e-3))
        for exchange, step in (("binance", 8), ("bybit", 8), ("hyperliquid", 1))
        for n in range(16)
        for h in range(0, 8760, step)
    ]


def _time(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def _write(rows: list[Told], path: Path) -> None:
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["exchange", "instrument", "asset", "time", "rate"])
        writer.writerows((e, i, a, round(t.timestamp() * 1000), repr(r)) for e, i, a, t, r in rows)


async def _raw(dsn: str, rows: list[Told]) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(RAW)
        start = time.perf_counter()
        await connection.copy_records_to_table("raw", records=rows)
        return len(rows) / (time.perf_counter() - start)
    finally:
        await connection.close()


async def _ours(db: Database, path: Path, count: int) -> float:
    await db.reads.execute("truncate funding, revision, latest, coin_1h, coin_1h_ready")
    start = time.perf_counter()
    answer = await import_files(db, "funding", [path], options("funding", create_assets=True))
    taken = time.perf_counter() - start
    if answer.inserted != count:
        raise RuntimeError(f"{answer.inserted} of {count} rows were inserted: {answer.rejected[:3]}")
    return count / taken


async def funding(db: Database) -> Line:
    """A gzipped CSV read, judged, given intervals and stored, against COPY of ready tuples into a bare table."""
    kind, rows = told()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "funding.csv.gz"
        _write(rows, path)
        await _ours(db, path, len(rows))
        found = [(await _raw(db.dsn, rows), await _ours(db, path, len(rows))) for _ in range(ROUNDS)]
    raw, ours = (median(column) for column in zip(*found, strict=True))
    return Line(
        f"import of {len(rows):,} settlements ({kind}) ÷ raw asyncpg COPY",
        ours / raw,
        "at least 0.3",
        f"{ours:,.0f} and {raw:,.0f} rows/s",
    )
