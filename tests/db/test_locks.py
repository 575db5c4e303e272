"""Advisory locks: each has a number of its own, and leading the schedule keeps nobody from writing."""

import re

import pyarrow as pa

from app.db import Database
from app.services import upkeep
from app.services.importing import import_rows
from tests.conftest import ROOT

NUMBER = re.compile(r"^(\w+_LOCK) = ([\d_]+)$", re.MULTILINE)


def test_every_lock_has_a_number_of_its_own() -> None:
    found = [pair for path in (ROOT / "app").rglob("*.py") for pair in NUMBER.findall(path.read_text(encoding="utf-8"))]
    assert len(found) >= 5
    assert len({number for _, number in found}) == len(found), found


async def test_an_import_beside_a_leader(clean_database: Database) -> None:
    row = {"time": "2026-01-05T00:00:00Z", "exchange": "newcomer", "asset": "BTC", "rate": "0.0001"}
    async with upkeep.leading(clean_database) as lost:
        assert lost is not None
        answer = await import_rows(clean_database, "funding", [pa.RecordBatch.from_pylist([row])])
    assert answer.inserted == 1
