"""The term structure at many instants is what it is at each of them alone, whatever changed in between."""

from datetime import datetime
from typing import Any

import httpx

from app.db import Database
from tests.options import EXPIRY, at, listed, listing, tell

DIES = at(9.25)
TOLD = {"underlying_price": 9e4, "index_price": 9e4}


async def stored(db: Database) -> datetime:
    """Options of one that expires, one that is listed later and one that is delisted; when the first half was known."""
    born = listed(100000, "call", listed_at=at(5.1))
    gone = listed(80000, "put", delisted_at=at(12.7))
    short = (listed(80000, "put", DIES), listed(100000, "call", DIES))
    found = await listing(db, listed(80000, "call"), born, gone, *short)
    rows = [
        {"series_id": found[option.symbol], "ts": at(hour), "mark_iv": 0.4 + 0.01 * hour, **TOLD}
        for hour in (1.0, 1.5, 7.99)
        for option in (listed(80000, "call"), born, gone, *short)
    ]
    await tell(db, "option_1m", *rows)
    known = await db.reads.fetchval("select clock_timestamp()")
    again = {"series_id": found[born.symbol], "mark_iv": 0.9, **TOLD}
    await tell(db, "option_1m", {**again, "ts": at(7.99)}, {**again, "ts": at(20)})
    return known


async def rows(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await client.get("/options/BTC/term-structure", params={"limit": "5000", **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_each_instant_is_what_it_is_alone(client: httpx.AsyncClient, clean_database: Database) -> None:
    known = await stored(clean_database)
    for narrow in ({}, {"known_at": known.isoformat()}, {"expiry": f"{EXPIRY:%Y-%m-%d}"}):
        window = {"start": at(0).isoformat(), "end": at(46).isoformat(), "interval": "1h"}
        found = await rows(client, **window, **narrow)
        instants = [at(n) for n in range(46)]
        alone = [row for instant in instants for row in await rows(client, at=instant.isoformat(), **narrow)]
        assert found == alone
        assert len({row["atm_iv"] for row in found}) > 1
        assert await rows(client, **window, **narrow, order="desc") == found[::-1]
