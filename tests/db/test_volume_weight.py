"""What a mean weighted by volume reads: the hours its weight is of, not all that is stored."""

import json
from datetime import timedelta
from typing import Any

import pytest

from app.db import Database
from app.services import funding
from app.services.funding import Mean
from app.services.store import put
from tests.db.facts import DAY, at, batch, rows_read, series, settle

DAYS, NOW = 8, at(24 * 7 + 20.5)
MINUTES_A_DAY = 1440
VOLUME = """
insert into perp_1m (series_id, ts, close, volume_base)
select $1, ts, 10.0, 1.0 from generate_series($2::timestamptz, $3::timestamptz - interval '1 minute', '1 minute') ts
on conflict do nothing
"""


@pytest.fixture
async def traded(clean_database: Database) -> Database:
    """Eight days of minutes of two contracts at 600 USD an hour, one of which has hours too, of 1200 USD."""
    for exchange in ("binance", "bybit"):
        to = await series(clean_database, exchange, "BTC0")
        await settle(clean_database, to, {float(h): 1e-4 for h in range(0, 24 * DAYS, 8)}, 8)
        for day in range(DAYS):
            await put(clean_database, "perp_1m", [batch("perp_1m", [{"series_id": to, "ts": at(24 * day)}])])
        await clean_database.reads.execute("delete from perp_1m where series_id = $1", to)
        await clean_database.reads.execute(VOLUME, to, DAY, NOW.replace(minute=0))
        if exchange == "binance":
            hours = [{"series_id": to, "ts": at(h), "volume_usd": 1200.0} for h in range(24 * 7 + 20)]
            await put(clean_database, "perp_1h", [batch("perp_1h", hours)])
    await clean_database.reads.execute("analyze perp_1m, perp_1h")
    return clean_database


async def test_weights_are_of_the_last_day(traded: Database) -> None:
    (row,) = await traded.reads.fetch(*_asked(contributors=True))
    weights = {one["exchange"]: one["weight"] for one in json.loads(row["contributors"])}
    assert weights == {"binance": 24 * 1200, "bybit": 24 * 600}
    late = funding.market(None, None, None, NOW + timedelta(days=5), None, Mean("volume", contributors=True, then=True))
    (row,) = await traded.reads.fetch(late.text, *late.arguments)
    weights = {one["exchange"]: one["weight"] for one in json.loads(row["contributors"])}
    assert weights == {"binance": 24 * 1200, "bybit": 24 * 600}


async def test_only_the_last_day_is_read(traded: Database) -> None:
    """Of minutes: those of hours that are not told, and the newest."""
    text, *arguments = _asked()
    plan = json.loads(await traded.reads.fetchval(f"explain (analyze, timing off, format json) {text}", *arguments))
    assert 1 <= rows_read(plan[0]["Plan"], "perp_1m") <= MINUTES_A_DAY + 60


def _asked(*, contributors: bool = False) -> tuple[Any, ...]:
    query = funding.market(None, None, None, NOW, None, Mean("volume", contributors=contributors, then=True))
    return query.text, *query.arguments
