"""The intervals of a contract over its life, with the evidence, beside what its exchange declared."""

import gzip
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from app.db import Database
from app.services import quality
from app.services.importing import import_files, options
from tests.conftest import shared
from tests.db.facts import at, batch, put, series, settle

HYPERLIQUID = "datasets/hyperliquid_funding_2023_2025"
CHANGED = datetime(2023, 6, 8, 1, tzinfo=UTC)
"""The first settlement an hour after the one before it."""


async def history(
    db: Database, symbol: str = "BTCUSDT", exchange: str = "bybit", *, upto: float | None = None, known_at: Any = None
) -> list[dict[str, Any]]:
    moment = None if upto is None else at(upto)
    query = quality.funding_intervals(exchange, symbol, moment, known_at)
    return sorted((dict(row) for row in await db.reads.fetch(query.text, *query.arguments)), key=lambda r: r["from"])


async def declare(db: Database, to: int, hour: float, hours: str) -> None:
    """A fact as if it had been noted so many hours after the start of the test day."""
    await db.reads.execute(
        """insert into instrument_fact (instrument_id, fact, valid_from, value, source, known_at)
        select instrument_id, 'funding_interval_hours', $2, $3, 'bybit', $2 from series where id = $1""",
        to,
        at(hour),
        hours,
    )


def minute_of(line: str) -> datetime:
    """The stamp of a line of the recorded history, to the nearest minute."""
    return datetime.fromtimestamp(round(int(line.split(",")[0]) / 60_000) * 60, UTC)


async def test_a_stretch_has_its_evidence(clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, to, {0: 1e-4, 8: 1e-4, 24: 1e-4, 32: 1e-4, 36: 1e-4})
    first, last = await history(clean_database)
    assert {k: v for k, v in first.items() if k != "known_at"} == {
        "from": at(0), "to": at(36), "hours": 8, "known": "inferred", "settlements": 4, "gaps": 1,
        "first_evidence": at(8), "last_evidence": at(32), "source": "bybit", "declared_hours": None,
        "declared_at": None, "disagrees": None,
    }  # fmt: skip
    assert (last["from"], last["to"], last["hours"], last["gaps"]) == (at(36), None, 4, 0)
    (then,) = await history(clean_database, upto=35)
    assert (then["to"], then["settlements"], then["last_evidence"]) == (None, 4, at(32))


async def test_declared_stands_beside_inferred(clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    for hour, hours in ((-1, "8"), (33, "4")):
        await declare(clean_database, to, hour, hours)
    assert [(row["from"], row["hours"], row["settlements"]) for row in await history(clean_database)] == [
        (at(-1), 8, 0), (at(33), 4, 0),
    ]  # fmt: skip
    await settle(clean_database, to, {0: 1e-4, 8: 1e-4, 16: 1e-4, 24: 1e-4, 32: 1e-4})
    names = ("hours", "declared_hours", "declared_at", "disagrees")
    (before,) = await history(clean_database, upto=32.5)
    assert [before[name] for name in names] == [8, 8, at(-1), False]
    (ahead,) = await history(clean_database)
    assert [ahead[name] for name in names] == [8, 4, at(33), True]
    await settle(clean_database, to, {36: 1e-4, 40: 1e-4})
    found = await history(clean_database)
    assert [[row[name] for name in names] for row in found] == [[8, 8, at(-1), False], [4, 4, at(33), False]]


async def test_when_it_was_learned_survives_a_correction(clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, to, {0: 1e-4, 4: 1e-4, 12: 1e-4})
    assert [row["hours"] for row in await history(clean_database)] == [4]
    told = datetime.now(UTC)
    await settle(clean_database, to, {20: 1e-4})
    (_, change) = await history(clean_database)
    assert (change["from"], change["hours"]) == (at(12), 8)
    assert change["known_at"] > told
    await settle(clean_database, to, {12: 5e-4})
    assert (await history(clean_database))[1]["known_at"] == change["known_at"]
    assert [row["hours"] for row in await history(clean_database, known_at=told)] == [4]
    assert await history(clean_database, known_at=at(0)) == []


async def test_of_two_sources_the_preferred_one_is_read(clean_database: Database) -> None:
    from app.services import reference

    own = await series(clean_database, "bybit", "BTCUSDT")
    other = (await reference.series_of(clean_database, "coingecko", "bybit"))["BTCUSDT"].id
    await settle(clean_database, own, {16: 1e-4, 24: 1e-4}, hours=8)
    rows = [{"series_id": other, "ts": at(h), "rate": 1e-4, "interval_hours": 8} for h in (8, 16, 24)]
    await put(clean_database, "funding", [batch("funding", rows)])
    (row,) = await history(clean_database)
    assert (row["settlements"], row["source"], row["known"]) == (3, "bybit,coingecko", "declared")


async def test_a_late_settlement_is_no_gap_and_one_declared_row_no_declaration(clean_database: Database) -> None:
    to = await series(clean_database, "bybit", "BTCUSDT")
    await settle(clean_database, to, dict.fromkeys((0, 8, 16, 24.4, 32, 64, 72, 80, 88), 1e-4))
    await settle(clean_database, to, {96: 1e-4}, hours=8)
    (row,) = await history(clean_database)
    assert (row["settlements"], row["gaps"], row["known"]) == (10, 3, "inferred")


async def test_hyperliquid_went_from_eight_hours_to_one_in_2023(clean_database: Database) -> None:
    folder = shared(HYPERLIQUID)
    for coin in ("BTC", "ETH"):
        path = folder / f"{coin}_funding.csv.gz"
        columns = [("ts", "time"), ("funding_rate", "rate")]
        fixed = [("exchange", "hyperliquid"), ("instrument", coin), ("asset", coin)]
        answer = await import_files(
            clean_database, "funding", [path], options("funding", columns=columns, values=fixed)
        )
        assert (answer.rejected_count, answer.inserted) == (0, answer.received)
        times = [minute_of(line) for line in gzip.open(path, "rt").readlines()[1:]]  # noqa: SIM115
        change = times.index(CHANGED)
        before, after = await history(clean_database, coin, "hyperliquid")
        assert (before["hours"], before["from"], before["to"], before["known"]) == (8, times[0], CHANGED, "inferred")
        assert (after["hours"], after["from"], after["to"], after["last_evidence"]) == (1, CHANGED, None, times[-1])
        assert [row["settlements"] for row in (before, after)] == [change, len(times) - change]
        late = [(second - first).total_seconds() / 3600 for first, second in pairwise(times)]
        assert before["gaps"] == sum(round(hours / 8) - 1 for hours in late[: change - 1])
        assert after["gaps"] == sum(round(hours) - 1 for hours in late[change - 1 :])
