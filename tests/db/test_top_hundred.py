"""The hundred largest coins: every id that a source has for them is theirs in the seeded database, nobody else's."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from app.db import Database
from app.services import entities
from tests.conftest import shared

Key = tuple[str, str, str]
SEVERAL_KINDS = {"artemis", "defillama"}  # there the same word may be an id of another kind, of something else


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def told() -> dict[Key, str]:
    """Coin by source, type of id and id, of the hundred."""
    folder = shared("entities")
    hundred = {row["id"] for row in rows(folder / "coingecko_top_2026-09.csv")[:100]}
    assert len(hundred) == 100
    return {
        (row["source"], row["source_id_type"], row["source_id"]): row["canonical_id"]
        for row in rows(folder / "entity_source_ids.csv")
        if row["canonical_id"] in hundred
    }


@pytest.fixture(scope="module")
async def seeded(database: Database) -> dict[Key, str]:
    """The same of everything in the database, ids in lower case."""
    found = await database.reads.fetch(
        """select s.source, s.source_id_type, lower(s.source_id) as id, e.canonical_id
        from entity_source_id s join entity e on e.id = s.entity_id"""
    )
    return {(row["source"], row["source_id_type"], row["id"]): row["canonical_id"] for row in found}


async def test_there_are_more_than_five_hundred(database: Database) -> None:
    assert await database.reads.fetchval("select count(*) from entity") >= 500


def test_coingecko_knows_them_all(told: dict[Key, str]) -> None:
    sources = defaultdict[str, set[str]](set)
    for (source, _, _), coin in told.items():
        sources[coin].add(source)
    assert len(sources) == 100
    assert all("coingecko" in known for known in sources.values())


async def test_every_id_of_theirs_is_theirs(told: dict[Key, str], seeded: dict[Key, str]) -> None:
    wrong = {
        key: (coin, found)
        for key, coin in told.items()
        if (found := seeded.get((key[0], key[1], key[2].lower()))) != coin
    }
    assert len(told) > 700
    assert wrong == {}


async def test_what_one_source_calls_them_means_them_and_nobody_else(database: Database, told: dict[Key, str]) -> None:
    wrong: dict[Key, set[str]] = {}
    for key, coin in ((key, coin) for key, coin in told.items() if key[0] not in SEVERAL_KINDS):
        meant = {found.canonical_id for found in await entities.candidates(database, key[2], key[0])}
        if meant != {coin}:
            wrong[key] = meant
    assert wrong == {}
