"""How live collectors fare, as they tell of themselves, and which contracts they are for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import asyncpg
from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db import Database, writing
from app.models import Collector
from app.services.queries import Query, sql

COLLECTORS = """
select c.id, c.source, c.channel, c.state, c.subscriptions, c.started_at, c.connected_at, c.last_message_at,
  extract(epoch from now() - c.last_message_at)::float8 as age_s, c.messages, c.messages_per_s, c.lag_s, c.dropped,
  c.reconnects, c.error, c.updated_at
from collector c
where ($1::text[] is null or c.source = any($1)) and ($2::text is null or c.state = $2)
"""
MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class Report:
    """What a collector tells of itself; the columns are those of `Collector`."""

    id: str
    source: str
    channel: str
    state: str
    subscriptions: int
    connected_at: datetime | None
    last_message_at: datetime | None
    messages: int
    messages_per_s: float | None
    lag_s: float | None
    dropped: int
    reconnects: int
    error: str | None


async def contracts(db: Database, exchange: str, assets: int, since: datetime) -> list[str]:
    """Native symbols of the contracts of an exchange whose minutes are to be collected, main contracts first.

    `assets`: of how many; 0: of all. `since`: whose samples were stored since then is collected already.
    """
    rows = await db.reads.fetch(sql("collectors", "contracts"), exchange, assets, since)
    return [row["symbol"] for row in rows]


async def options(db: Database, exchange: str, currency: str, since: datetime, now: datetime) -> list[asyncpg.Record]:
    """One row an option of an exchange on a coin (upper case) that lives: `symbol, volume_24h, open_interest`, in coins
    as told last since then, or None."""
    return await db.reads.fetch(sql("collectors", "options"), exchange, currency, now, since)


async def heard(db: Database, whose: str) -> Mapping[str, datetime]:
    """When each collector of a source last heard anything, by its id; one that never did: when it began.

    `whose`: the source (`okx`), or the source and the currency of its ticks (`deribit:BTC`). The collectors of a source
    are not those of its ticks: each is told of by itself.
    """
    last = func.coalesce(Collector.last_message_at, Collector.started_at)
    async with writing(db) as connection:
        rows = await connection.execute(select(Collector.id, last).where(_is_of(whose)))
        return {row[0]: row[1] for row in rows}


async def begin(db: Database, whose: str, now: datetime) -> None:
    """The collectors of a source begin anew; what those before them did not hear is in the ledger of gaps."""
    begun = update(Collector).where(_is_of(whose)).values(started_at=now, last_message_at=None)
    async with writing(db) as connection:
        await connection.execute(begun)


def _is_of(whose: str) -> ColumnElement[bool]:
    """`deribit:BTC:0` is of the ticks of a currency, in upper case; sockets and polls of minutes are in lower case."""
    begins = Collector.id.startswith(f"{whose}:", autoescape=True)
    place = func.split_part(Collector.id, ":", 2)
    return begins if ":" in whose else and_(begins, place == func.lower(place))


async def tell(db: Database, whose: str, reports: Sequence[Report]) -> None:
    """How the collectors of a source (or some of them) fare now; one that is not among them is not there any more."""
    rows = [{**asdict(report), "error": report.error and _clean(report.error)} for report in reports]
    statement = insert(Collector)
    names: Collection[str] = asdict(reports[0]).keys() if reports else ()
    told = {name: statement.excluded[name] for name in names if name != "id"}
    upsert = statement.on_conflict_do_update(index_elements=["id"], set_={**told, "updated_at": func.clock_timestamp()})
    gone = delete(Collector).where(_is_of(whose), Collector.id.not_in([row["id"] for row in rows]))
    async with writing(db) as connection:
        await connection.execute(gone)
        if rows:
            await connection.execute(upsert, rows)


def _clean(words: str) -> str:
    return words.replace("\x00", "")[:MAX_WORDS]


async def there(db: Database) -> tuple[bool, bool]:
    """Whether there are any collectors at all, and any instruments they could be for."""
    row = await db.reads.fetchrow("select exists (select from collector), exists (select from instrument)")
    assert row is not None  # noqa: S101 - no table, one row
    return row[0], row[1]


def collectors(sources: Sequence[str] | None = None, state: str | None = None) -> Query:
    """One row a collector, as it last told of itself."""
    return Query(COLLECTORS, (sources, state))
