"""Long kill loops (`make soak`): imports and owners of the embedded database killed at random, many times over."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from app import embedded
from app.db import Database
from tests.db.test_import_kill import CHANGES, FACT, HEAD, ROW, ROWS, kill_while_importing, start

pytestmark = pytest.mark.soak

KILLS = 40
OWNER = """
import asyncio, sys
from pathlib import Path
import asyncpg
from app import embedded

async def insert(dsn):
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists soak (n bigint primary key)")
    n = await connection.fetchval("select coalesce(max(n), 0) from soak")
    while True:
        n += 1
        await connection.execute("insert into soak values ($1)", n)
        print(n, flush=True)

with embedded.running(Path(sys.argv[1])) as cluster:
    asyncio.run(insert(cluster.dsn))
"""


@pytest.mark.parametrize("dataset", ["funding", "candles"])
async def test_imports_killed_many_times(clean_database: Database, dataset: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([HEAD[dataset], *map(ROW[dataset], range(ROWS))]))
    chance = random.Random(7)
    table = FACT[dataset][0]
    for _ in range(KILLS):
        await asyncio.to_thread(kill_while_importing, clean_database.dsn, dataset, file, chance.uniform(0, 1.5))
        assert await clean_database.reads.fetchval(f"select count(*) from {table}") in (0, ROWS)
    with start(clean_database.dsn, dataset, file) as process:
        await asyncio.to_thread(process.communicate, timeout=60)
    assert await clean_database.reads.fetchval(f"select count(*) from {table}") == ROWS
    assert await clean_database.reads.fetchval(CHANGES) == 0


async def test_owners_killed_many_times_lose_nothing_committed(short_tmp: Path) -> None:
    folder = short_tmp / "soak"
    chance = random.Random(11)
    committed = 0
    for _ in range(KILLS):
        committed = max(committed, await asyncio.to_thread(_insert_until_killed, folder, chance.uniform(0.1, 1.0)))
    with embedded.running(folder) as cluster:
        connection = await asyncpg.connect(cluster.dsn)
        count, newest = await connection.fetchrow("select count(*), max(n) from soak")
        await connection.close()
    assert count == newest
    assert newest >= committed > KILLS


def _insert_until_killed(folder: Path, seconds: float) -> int:
    """The last number the owner said was committed."""
    with subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        last = owner.stdout.readline()
        time.sleep(seconds)
        os.kill(owner.pid, signal.SIGKILL)
        said = owner.stdout.read().splitlines()
    complete = [line for line in (last.strip(), *said[:-1]) if line]
    return int(complete[-1]) if complete else 0
