"""An import that is killed and done again is complete, and nothing is there twice."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.db import Database
from app.services import batches

SCRIPT = """
import asyncio, sys
from pathlib import Path
from app.db import connected
from app.services.importing import Options, Writer, import_files

async def main(dsn, dataset, path):
    options = Options(writer=Writer("command line", "command line"))
    async with connected(dsn) as db:
        done = await import_files(db, dataset, [Path(path)], options, lambda *_: print("reading", flush=True))
        print(done.received)

asyncio.run(main(*sys.argv[1:]))
"""
ROWS = 60_000
ROW = {
    "funding": lambda n: f"{1_600_000_020 + n // 4 * 3600},x,{COINS[n % 4]},{n / 1e6!r}",
    "candles": lambda n: f"{1_600_000_020 + n // 4 * 60},x,{COINS[n % 4]},{n + 2},{n + 3},{n + 1},{n + 2}",
}
COINS = ("BTC", "ETH", "SOL", "kPEPE")
HEAD = {"funding": "time,exchange,asset,rate", "candles": "time,exchange,asset,open,high,low,close"}
FACT = {"funding": ("funding", "rate"), "candles": ("perp_1m", "open * i.multiplier")}

LAST_IMPORT = "select state, received from import_batch order by id desc limit 1"
CHANGES = "select count(*) from revision where not repeats"


@pytest.fixture(params=["funding", pytest.param("candles", marks=pytest.mark.soak)])
def dataset(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def file(tmp_path: Path, dataset: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([HEAD[dataset], *map(ROW[dataset], range(ROWS))]))
    return path


def start(dsn: str, dataset: str, file: Path) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", SCRIPT, dsn, dataset, str(file)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def kill_while_importing(dsn: str, dataset: str, file: Path, after: float) -> None:
    """`after` seconds after the first rows were read."""
    with start(dsn, dataset, file) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        time.sleep(after)
        process.kill()


@pytest.mark.one_server
async def test_killed_and_done_again(clean_database: Database, dataset: str, file: Path) -> None:
    table, value = FACT[dataset]
    chance = random.Random(dataset)
    for after in (0, *(chance.uniform(0, 0.5) for _ in range(3))):
        kill_while_importing(clean_database.dsn, dataset, file, after)
        assert await clean_database.reads.fetchval(f"select count(*) from {table}") in (0, ROWS)
        await batches.settle(clean_database)
        state, counted = await clean_database.reads.fetchrow(LAST_IMPORT)
        assert (state, counted) in (("failed", 0), ("stored", ROWS))
    with start(clean_database.dsn, dataset, file) as process:
        told, _ = process.communicate(timeout=60)
    assert told.splitlines()[-1] == str(ROWS)
    rows = await clean_database.reads.fetch(
        f"""select extract(epoch from f.ts)::int as time, i.symbol, {value} as value
        from {table} f join series s on s.id = f.series_id join instrument i on i.id = s.instrument_id"""
    )
    expected = [line.split(",") for line in map(ROW[dataset], range(ROWS))]
    assert {(row["time"], row["symbol"]): round(row["value"], 6) for row in rows} == {
        (int(line[0]), line[2]): float(line[3]) for line in expected
    }
    assert (len(rows), await clean_database.reads.fetchval(CHANGES)) == (ROWS, 0)
    assert await clean_database.reads.fetchval("select count(*) from instrument") == 4
