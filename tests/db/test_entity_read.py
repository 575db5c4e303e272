"""All that is known of an entity is read by what its series have, not by all that is stored."""

import json
from collections.abc import Iterator
from typing import Any

from app.db import Database
from app.services import entities
from app.services.entities import find_asset
from app.services.store import put
from tests.db.facts import at, batch, series

DAYS, OPTIONS = 10, 1000
LIST = """
insert into instrument (exchange_id, symbol, kind, entity_id, expires_at, strike, option_type, quote, base)
select x.id, 'BTC-27MAR26-' || n || '-C', 'option', $1, '2026-03-27T08:00Z', n, 'call', 'USD', 'BTC'
from exchange x, generate_series(1, $2) n where x.slug = 'deribit'
"""
TELL = """
insert into series (instrument_id, source_id)
select i.id, o.id from instrument i, source o where i.kind = 'option' and o.slug = 'deribit'
"""

PARTITIONS = "select count(*) from pg_inherits where inhparent = 'perp_1m'::regclass"
"""Days that have a partition: those of other tests in this database too."""


async def test_contracts_without_minutes_look_at_no_minutes(clean_database: Database) -> None:
    """A thousand options beside one perpetual with minutes of many days: the days are looked at for that one alone."""
    perpetual = await series(clean_database, "deribit", "BTC-PERPETUAL")
    for day in range(DAYS):
        rows = [{"series_id": perpetual, "ts": at(24 * day + n / 60), "close": 1.0} for n in range(5)]
        await put(clean_database, "perp_1m", [batch("perp_1m", rows)])
    entity = (await find_asset(clean_database, "BTC")).id
    await clean_database.reads.execute(LIST, entity, OPTIONS)
    await clean_database.reads.execute(TELL)
    await clean_database.reads.execute("analyze instrument, series, latest, perp_1m")

    query = entities.one(entity)
    (row,) = await clean_database.reads.fetch(query.text, *query.arguments)
    assert len(json.loads(row["instruments"])) == OPTIONS + 1
    (minutes,) = [told for told in json.loads(row["data"]) if told["dataset"] == "candles_1m"]
    assert (minutes["first"][:10], minutes["last"][:10]) == (f"{at(0):%Y-%m-%d}", f"{at(24 * DAYS - 1):%Y-%m-%d}")
    text = f"explain (analyze, timing off, format json) {query.text}"
    (told,) = json.loads(await clean_database.reads.fetchval(text, *query.arguments))
    of_minutes = [node for node in nodes(told["Plan"]) if node.get("Relation Name", "").startswith("perp_1m")]
    days = await clean_database.reads.fetchval(PARTITIONS)
    assert 1 <= sum(node["Actual Loops"] for node in of_minutes) <= 2 * days


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan and all below it."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)
