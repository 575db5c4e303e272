"""Advisory locks: each has a number of its own, and leading the schedule keeps nobody from writing."""

import re

import pyarrow as pa

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
