"""What retention is about to drop, as Parquet in the folders an export has: every column, so that imports read it.

`FOLDER/perp-1m/exchange=binance/month=2026-11/2026-11-03.parquet`: one file an exchange, month and partition.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import asyncpg
import pyarrow as pa
from pyarrow import parquet as pq

from app.db import Driver
from app.services.export_schema import WHO, WORD
from app.services.merge import KEPT_APART
from app.services.partitions import Partition
from app.services.store import TIME

ROWS = 4_096
DATASETS = {
    "perp_1m": "perp-1m",
    "perp_1h": "perp-1h",
    "liquidation": "liquidations",
    "open_interest": "open-interest",
    "predicted_funding": "predicted-funding",
    "option_tick": "option-ticks",
    "option_trade": "option-trades",
    "depth": "depth",
    "option_1m": "option-1m",
    "greeks": "greeks",
    "index_price": "index-prices",
}
TYPES = {
    "float8": pa.float64(),
    "_float8": pa.list_(pa.float64()),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "bool": pa.bool_(),
    "varchar": pa.string(),
    "timestamptz": TIME,
}
SPELLED = {
    ("liquidation", "side"): "case f.side when 1 then 'long' else 'short' end",
    ("option_trade", "side"): "case f.side when 1 then 'buy' else 'sell' end",
}
"""Columns that are numbers here and words in an export; all others are as they are stored."""
COLUMNS = """
select a.attname as name, t.typname as kind from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
EXCHANGES = """
select distinct x.slug
from (select distinct series_id from {fact} where ts >= $1 and ts < $2) f
join series s on s.id = f.series_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
order by x.slug
"""
ROWS_OF = """
select f.ts as time, x.slug as exchange, i.symbol as instrument, e.canonical_id as asset, o.slug as source, {columns},
  f.known_at
from {fact} f
join series s on s.id = f.series_id
join source o on o.id = s.source_id
join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
left join entity e on e.id = i.entity_id
where f.ts >= $1 and f.ts < $2 and x.slug = $3
order by f.series_id, f.ts
"""


@asynccontextmanager
async def written(copy: Driver, fact: str, part: Partition, folder: Path) -> AsyncGenerator[None]:
    """The rows of a partition in files, which appear under their names once the block has come to a good end.

    Until then they have hidden names, and if it does not they are gone. A file that is there already stays: the new one
    gets a number. Raises OSError or pa.ArrowException where they cannot be written, and what the database raises.
    """
    drafts: list[Path] = []
    try:
        schema = await _schema(copy, fact)
        for start, end in _months(part):
            for found in await copy.fetch(EXCHANGES.format(fact=fact), start, end):
                month = folder / DATASETS[fact] / f"exchange={found['slug']}" / f"month={start:%Y-%m}"
                drafts.append(month / f".{start:%Y-%m-%d}.part")
                await _write(copy, _statement(fact, schema), (start, end, found["slug"]), schema, drafts[-1])
        yield
        await asyncio.to_thread(_publish, drafts, folder)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def _publish(drafts: Sequence[Path], folder: Path) -> None:
    """Give them their names, for good: a name is safe once its folder, and that folder's name, are on the disk."""
    for draft in drafts:
        draft.rename(_free(draft))
    for named in {above for draft in drafts for above in draft.parents if above.is_relative_to(folder)}:
        opened = os.open(named, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _months(part: Partition) -> Iterator[tuple[datetime, datetime]]:
    """Its time, cut where months begin: a chunk may reach into the next."""
    start, last = part.start.astimezone(UTC), part.end.astimezone(UTC)
    while start < last:
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0)
        yield start, min(following, last)
        start = following


def _free(draft: Path) -> Path:
    """A name nobody has: what was brought and dropped once more does not replace what was archived before."""
    day = draft.stem.removeprefix(".")
    names = (f"{day}{f'-{number}' if number > 1 else ''}.parquet" for number in count(1))
    return next(path for name in names if not (path := draft.with_name(name)).exists())


async def _schema(copy: Driver, fact: str) -> pa.Schema:
    """Whose a row is, and all columns that say something, those of users included."""
    found = {row["name"]: row["kind"] for row in await copy.fetch(COLUMNS, fact)}
    columns = {name: WORD if (fact, name) in SPELLED else TYPES[kind] for name, kind in found.items()}
    values = {name: kind for name, kind in columns.items() if name not in KEPT_APART}
    return pa.schema({**WHO, **values, "known_at": TIME})


def _statement(fact: str, schema: pa.Schema) -> str:
    names = [name for name in schema.names if name not in (*WHO, "known_at")]
    values = ", ".join(SPELLED.get((fact, name), f'f."{name}"') for name in names)
    return ROWS_OF.format(fact=fact, columns=values)


async def _write(copy: Driver, statement: str, wanted: Sequence[object], schema: pa.Schema, path: Path) -> None:
    """One file, through a cursor: so many rows at a time are all there ever are here. Threads do the packing."""
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    reading = copy.transaction()
    await reading.start()
    try:
        cursor = await copy.cursor(statement, *wanted)
        with path.open("wb") as file:
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                while rows := await cursor.fetch(ROWS):
                    await asyncio.to_thread(_pack, writer, rows, schema)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
    finally:
        await reading.rollback()  # ends the cursor too: a table that is being read cannot be dropped


def _pack(writer: pq.ParquetWriter, rows: Sequence[asyncpg.Record], schema: pa.Schema) -> None:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
