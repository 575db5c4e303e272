"""Statistics that call tables empty when they are not: an import told again is compared row by row all the same."""

import asyncio
from pathlib import Path

import pytest

from app.db import Database
from app.services.importing import Options, Writer, import_files

ROWS, FORGET_AFTER = 60_000, 2
FORGOTTEN = "delete from funding; delete from revision; analyze funding; analyze revision"
"""What a killed import leaves, once it was counted: pages in which there is no row."""


@pytest.mark.one_server
async def test_what_was_killed_and_counted_is_soon_told_again(clean_database: Database, tmp_path: Path) -> None:
    """By a plan for empty tables, which reads all rows for each, the third time would take minutes."""
    rows = (f"{1_500_001_200 + n * 3600},x,BTC,{n / 1e6!r}" for n in range(ROWS))
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["time,exchange,asset,rate", *rows]))
    for turn in range(5):
        if turn == FORGET_AFTER:
            await clean_database.reads.execute(FORGOTTEN)
        async with asyncio.timeout(60):
            done = await import_files(clean_database, "funding", [path], Options(writer=Writer("test", "test")))
        assert done.inserted == (ROWS if turn in (0, FORGET_AFTER) else 0)
