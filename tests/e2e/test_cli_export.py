"""Exports as people make them: into another database, killed on the way, asked for what there is not."""

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from app.db import Database, connected
from app.services.store import SCHEMAS, put
from tests.conftest import ROOT, create_database
from tests.db.facts import series
from tests.e2e.test_cli import COMMAND, Environment, document, lines, run

ROWS = """time,exchange,instrument,asset,rate,kind,interval_hours,interval_known,known_at
2025-11-30T16:00:00Z,binance,BTCUSDT,BTC,0.0001,settled,8,assumed,2025-12-02T00:00:00.000001Z
2025-12-01T00:00:00Z,binance,BTCUSDT,BTC,-0.00003333333333333333,settled,,,
2025-12-01T00:00:00Z,hyperliquid,kPEPE,kPEPE,0.0000125,settled,1,declared,
2025-12-01T00:00:10Z,hyperliquid,kPEPE,kPEPE,0.00002,predicted,,,
"""
STORED = """
select x.slug, i.symbol, i.multiplier, e.canonical_id, o.slug as source, f.kind, f.ts, f.rate, f.interval_hours,
  f.interval_known, f.for_time, f.known_at
from (
  select 'settled' as kind, series_id, ts, rate, interval_hours, interval_known, null::timestamptz as for_time, known_at
  from funding
  union all
  select 'predicted', series_id, ts, rate, interval_hours, null, for_time, known_at from predicted_funding
) f join series s on s.id = f.series_id join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id join entity e on e.id = i.entity_id join source o on o.id = s.source_id
order by x.slug, i.symbol, f.ts
"""


def environment_of(dsn: str) -> Environment:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTORE_")}
    return {**ours, "DATABASE_URL": dsn}


@pytest.fixture
def environment(clean_database: Database) -> Environment:
    return environment_of(clean_database.dsn)


async def test_into_another_database(
    environment: Environment, clean_database: Database, server: str, tmp_path: Path
) -> None:
    """As CSV; Parquet goes there and back in `test_files_for_others`."""
    (tmp_path / "rows.csv").write_text(ROWS)
    document(run(environment, "import", "funding", tmp_path / "rows.csv", "--json"))
    told = document(run(environment, "export", "funding", "--csv", tmp_path / "out", "--json"))
    folder = tmp_path / "out" / "funding"
    size = sum(path.stat().st_size for path in folder.rglob("*.csv"))
    assert told == {"dataset": "funding", "files": 4, "rows": 4, "bytes": size, "folder": str(folder)}
    other = await create_database(server, f"perpstore_other_{os.getpid()}")
    answer = document(run(environment_of(other), "import", "funding", folder, "--json"))
    assert (answer["inserted"], answer["rejected"]) == (4, [])
    async with connected(other) as db:
        before, after = await clean_database.reads.fetch(STORED), await db.reads.fetch(STORED)
    assert after == before
    assert len(after) == 4


async def _many_candles(db: Database, count: int) -> None:
    key, first = await series(db, "binance", "BTCUSDT"), datetime(2025, 1, 1, tzinfo=UTC)
    times = [first + timedelta(minutes=n) for n in range(count)]
    columns = {name: [1.5] * count for name in SCHEMAS["perp_1m"].names}
    columns |= {"series_id": [key] * count, "ts": times, "known_at": [None] * count}
    await put(db, "perp_1m", [pa.RecordBatch.from_pydict(columns, SCHEMAS["perp_1m"])])


@pytest.fixture
async def quarter(clean_database: Database) -> None:
    """Candles of three months and a bit."""
    await _many_candles(clean_database, 132_000)


@pytest.mark.usefixtures("quarter")
def test_a_killed_export_leaves_no_half_file(environment: Environment, tmp_path: Path) -> None:
    words = ("export", "candles", "--csv", str(tmp_path))
    with subprocess.Popen([*COMMAND, *words], env=environment, cwd=ROOT) as process:
        while not _halves(tmp_path):
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    assert len(_halves(tmp_path)) == 1
    whole = [path for path in tmp_path.rglob("*.csv") if path not in _halves(tmp_path)]
    assert len(whole) < 4
    assert all(len(path.read_text().splitlines()) > 40_000 for path in whole)
    taken = run(environment, "import", "candles", tmp_path / "candles")
    assert "rejected 0\n" in taken.stdout if whole else "holds no files" in taken.stderr
    told = document(run(environment, *words, "--json"))
    assert (told["files"], told["rows"]) == (4, 132_000)
    assert not _halves(tmp_path)


def _halves(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.part"))


async def test_only_what_was_asked_for(environment: Environment, clean_database: Database, tmp_path: Path) -> None:
    await _many_candles(clean_database, 3_000)
    some = ("--asset", "btc", "--exchange", "Binance", "--start", "2025-01-02", "--end", "1735862400")
    words = ("export", "candles", "--parquet", tmp_path, *some)
    assert document(run(environment, *words, "--interval", "1m", "--json"))["rows"] == 1440
    none = run(environment, *words, "--interval", "1h")
    assert (none.returncode, lines(none.stdout)) == (0, ["No rows: nothing is stored of that; no file was written"])
    for wrong, said in {
        ("--exchange", "binanc"): "No exchange is called binanc. Nearest: binance",
        ("--asset", "bitcon"): "No asset is called bitcon. Nearest: bitcoin",
        ("--source", "velo"): "No source is called velo. There are binance",
    }.items():
        done = run(environment, *words[:4], *wrong)
        assert done.returncode == 2
        assert lines(done.stderr)[0].startswith(f"perpstore: {said}")
    taken = tmp_path / "taken"
    (tmp_path / "taken" / "candles").mkdir(parents=True)
    (taken / "candles" / "exchange=binance").write_text("")
    refused = run(environment, "export", "candles", "--csv", taken)
    assert refused.returncode == 1
    assert "exchange=binance" in lines(refused.stderr)[0]
    assert "choose another folder" in lines(refused.stderr)[0]
