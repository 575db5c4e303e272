"""Putting the generated data in: the way of everything that is pulled, as told by a source of its own."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import models
from app.db import Database, writing
from app.records import PerpMinute
from app.services import batch, gaps, log, perpspecs, reference, rollup, store
from app.services import metrics as catalogue
from app.services.demo import metrics, minutes, options, perps, world
from app.services.demo.parts import DAY, DAYS, MINUTE_DAYS, OPTION_DAYS, Part, Series, Tellers, parts
from app.services.demo.world import OPTIONS, SECOND_SOURCE, SOURCE, VENUES
from app.services.gaps import Hole
from app.services.log import Counts, Rejected
from app.services.perpspecs import Perpspec
from app.services.reference import SeriesRef
from app.services.store import Written

SLICES: Mapping[str, tuple[str, ...]] = {
    "ohlcv": ("o", "h", "l", "c", "v"),
    "oi": ("oi", "oi_usd"),
    "pfr": ("pfr", "interval_hours"),
    "lsr": ("lsr",),
    "tv": ("tbv", "tsv"),
    "lq": ("lqside", "lqprice", "lqqty"),
}
"""Perpspecs of each exchange that has minutes."""
REJECTED: Mapping[str, Sequence[Rejected]] = {
    "funding": (Rejected("rate_out_of_range", "ETHUSDT", "generated: rate 3.2 is past 1.0 an interval", 3),),
    "candles_1h": (
        Rejected("high_low", "SOL_USDT", "generated: high 160.1 and low 161.0 do not enclose open and close", 2),
        Rejected("negative", "DOGE-PERP", "generated: volume_base is -12.0"),
    ),
}
Tell = Callable[[str, int], None]
"""Hears how many rows of a dataset were stored."""


class NameTaken(Exception):
    """There is an exchange or source of a name that generated data has, and it is not generated."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a store has now: up to when, of which exchanges, how many rows of each dataset, and how many were new."""

    until: datetime
    exchanges: Sequence[str]
    rows: Mapping[str, int]
    new: int


async def load(db: Database, until: datetime, tell: Tell) -> Loaded:
    """Put in what is generated of the days before `until`; what is there already stays as it is.

    Raises NameTaken, and whatever the database raises: what is stored then can be removed, or loaded on.
    """
    end = int(until.timestamp())
    await _mark(db)
    await _list(db, end)
    series = await _series(db)
    holes = list(_holes(series, end))
    await gaps.note(db, holes)
    rows, new = dict[str, int](), 0
    for part in parts(Tellers(series, await _second_series(db)), end):
        written = await _put(db, part)
        rows[part.dataset] = rows.get(part.dataset, 0) + written.received
        new += written.inserted
        tell(part.dataset, rows[part.dataset])
    for source, off in ((SOURCE, 0.0), (SECOND_SOURCE, 0.03)):
        written = await _put_metrics(db, source, end, off)
        rows["fundamentals"] = rows.get("fundamentals", 0) + written.received
        new += written.inserted
    await _beside(db, holes)
    return Loaded(until, tuple(world.EXCHANGES), rows, new)


async def _mark(db: Database) -> None:
    """Exchanges and sources first: whatever becomes of the rest, it can be told from what is real."""
    hours = {venue.slug: float(venue.interval_hours) for venue in VENUES}
    exchanges = [
        {"slug": slug, "name": name, "funding_interval_hours": hours.get(slug, 8.0), "generated": True}
        for slug, name in world.EXCHANGES.items()
    ]
    sources = [{"slug": slug, "generated": True} for slug in (SOURCE, SECOND_SOURCE)]
    async with writing(db) as connection:
        for model, rows in ((models.Exchange, exchanges), (models.Source, sources)):
            await connection.execute(insert(model).on_conflict_do_nothing(), rows)
            named = model.slug.in_([row["slug"] for row in rows])
            taken = (await connection.execute(select(model.slug).where(named, ~model.generated))).scalars().all()
            if taken:
                await connection.rollback()
                raise NameTaken(f"{', '.join(taken)}: there already, and not generated")


async def _list(db: Database, end: int) -> None:
    for venue in VENUES:
        await reference.put_instruments(db, venue.slug, world.instruments(venue))
    since = end - OPTION_DAYS * DAY
    listed = [one for family in options.FAMILIES for one in options.listed(family, since, end)]
    known = await reference.instruments(db, OPTIONS, ("option",))
    over = [one for one in known.values() if one.active and one.expires_at and one.expires_at.timestamp() <= end]
    await reference.put_instruments(db, OPTIONS, [*(options.expired(one) for one in over), *listed])


async def _series(db: Database) -> Series:
    """By symbol: no two of these exchanges spell one alike."""
    found = dict[str, SeriesRef]()
    for slug in world.EXCHANGES:
        found |= await reference.series_of(db, SOURCE, slug, ("perp", "option", "index"))
    return found


async def _second_series(db: Database) -> Series:
    return await reference.series_of(db, SECOND_SOURCE, VENUES[0].slug)


def _holes(series: Series, end: int) -> Iterator[Hole]:
    """What is missing of minutes; what was missing and came is settled when it is stored."""
    for contract in minutes.IN_MINUTES:
        for one, first, last in minutes.missing(contract, end - MINUTE_DAYS * DAY, end):
            key, span = series[contract.symbol].id, (perps.instant(first), perps.instant(last))
            yield Hole(key, "candles_1m", *span, one.reason, one.state, one.detail)


async def _put(db: Database, part: Part) -> Written:
    """Store a part as a pull of its source, which stands among the others."""
    pull = await log.begin(db, part.source, part.dataset)
    written = Written()
    for fact, rows in _columns(part).items():
        written += await store.put(db, fact, [rows])
    await log.finish(db, pull, "succeeded", _counts(written), None)
    return written


def _columns(part: Part) -> dict[str, pa.RecordBatch]:
    """Facts by table, known from when they are stored: what was answered of the past before that stays so."""
    records = list(part.records)
    of_minutes = [one for one in records if isinstance(one, PerpMinute)]
    if of_minutes:
        return {"perp_1m": batch.minutes(of_minutes, part.series)}
    found, _ = batch.columns(records, part.series)
    return found


def _counts(written: Written) -> Counts:
    return Counts(received=written.received, inserted=written.inserted, updated=written.updated)


async def _put_metrics(db: Database, source: str, end: int, off: float) -> Written:
    """Of those entities that are there: a store may have merged one into another."""
    told = await db.reads.fetch(
        "select canonical_id, id from entity where canonical_id = any($1::text[])",
        [one.entity for one in metrics.ABOUT],
    )
    entities = {(metrics.CANONICAL_ID, row["canonical_id"]): row["id"] for row in told}
    values = [one for one in metrics.values(end - DAYS * DAY, end, off=off) if (one.id_type, one.id) in entities]
    return await catalogue.put_values(db, source, values, entities)


async def _beside(db: Database, holes: Collection[Hole]) -> None:
    """What is told about data: gaps that were filled, rows that were refused, perpspecs; and the rollup of it."""
    if holes:
        first, last = min(hole.first for hole in holes), max(hole.last for hole in holes)
        await gaps.settle(db, first, last, given_up=False, series=sorted({hole.series_id for hole in holes}))
    if not await log.rejects(db, source=SOURCE):
        for dataset, rejected in REJECTED.items():
            await log.reject(db, SOURCE, dataset, rejected)
    for venue in VENUES:
        for kind, fields in SLICES.items() if venue.has_minutes else ():
            await perpspecs.add(db, Perpspec(f"{venue.slug}-{kind}", fields))
    await rollup.refresh(db)
