"""Advisory locks: each has a number of its own, and leading the schedule keeps nobody from writing."""

import asyncio
import re
from typing import Any

import asyncpg
import pyarrow as pa
import pytest

from app import locks
from app.db import Database
from app.services import upkeep
from app.services.importing import import_rows
from tests.conftest import ROOT

NUMBER = re.compile(r"\b7_?022_?\d{3}\b")
NAMED = {name: number for name, number in vars(locks).items() if name.endswith("_LOCK")}


def numbers(folder: str) -> dict[str, set[int]]:
    """Numbers of locks in programs and SQL texts, by file."""
    found: dict[str, set[int]] = {}
    for path in (path for kind in ("*.py", "*.sql") for path in (ROOT / folder).rglob(kind)):
        told = {int(number.replace("_", "")) for number in NUMBER.findall(path.read_text(encoding="utf-8"))}
        found |= {path.name: told} if told else {}
    return found


def test_every_lock_has_a_number_of_its_own() -> None:
    assert len(NAMED) >= 10
    assert len(set(NAMED.values())) == len(NAMED), NAMED


def test_numbers_of_locks_are_in_one_place() -> None:
    assert numbers("app").keys() == {"locks.py"}
    assert numbers("alembic") == {"2026-11-21-metrics_and_backfills.py": {locks.BUDGET_LOCK}}


async def test_an_import_beside_a_leader(clean_database: Database) -> None:
    row = {"time": "2026-01-05T00:00:00Z", "exchange": "newcomer", "asset": "BTC", "rate": "0.0001"}
    async with upkeep.leading(clean_database) as lost:
        assert lost is not None
        answer = await import_rows(clean_database, "funding", [pa.RecordBatch.from_pylist([row])])
    assert answer.inserted == 1


async def test_a_lock_whose_connection_does_not_answer_any_more_is_lost(
    clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    connect = asyncpg.connect

    async def noticed(*args: Any, **words: Any) -> Any:
        opened.append(await connect(*args, **words))
        return opened[-1]

    monkeypatch.setattr(asyncpg, "connect", noticed)
    monkeypatch.setattr(upkeep, "ALIVE_EVERY", 0.05)
    monkeypatch.setattr(upkeep, "ALIVE_WITHIN", 0.8)
    async with upkeep.collecting_ticks(clean_database, "deribit:BTC") as lost:
        assert lost is not None
        async with upkeep.collecting_ticks(clean_database, "deribit:BTC") as second:
            assert second is None
        asked = opened[0].get_server_pid()
        statement = "select query from pg_stat_activity where pid = $1"
        async with asyncio.timeout(5):
            while await clean_database.reads.fetchval(statement, asked) != "select 1":  # noqa: ASYNC110 - of a server
                await asyncio.sleep(0.01)
        assert not lost.is_set(), "it answers"
        opened[0]._transport.pause_reading()
        async with asyncio.timeout(5):
            await lost.wait()
    assert opened[0].is_closed()
