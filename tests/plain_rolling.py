"""Perpspecs and changes of minutes computed the plain way, row by row, and minutes to compute them of."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from app.db import Database
from app.services.store import WIDE_MINUTE, put
from tests.db import facts

MINUTE = timedelta(minutes=1)
Row = Mapping[str, float | None]
Told = dict[tuple[int, datetime], Row]
"""What each series tells of each minute, by column."""
CHANGING = ("c", "v", "oi", "pfr", "lsr", "tbv", "tsv", "lqprice", "lqqty", "lqside")
SPECS = {
    "ohlcv": ("o", "h", "l", "c", "v"),
    "oi": ("oi", "oi_usd"),
    "pfr": ("pfr", "interval_hours"),
    "lsr": ("lsr",),
    "tv": ("tbv", "tsv"),
    "lq": ("lqside", "lqprice", "lqqty"),
}
COLUMNS = {
    "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume_base", "oi": "oi_base", "oi_usd": "oi_usd",
    "pfr": "predicted_rate", "interval_hours": "predicted_interval_hours", "lsr": "long_short_ratio",
    "tbv": "buy_volume_base", "lqprice": "liquidation_price",
}  # fmt: skip


def fields(row: Row) -> dict[str, float | str | None]:
    """A stored minute by public names."""
    found: dict[str, float | str | None] = {name: row.get(column) for name, column in COLUMNS.items()}
    sold, volume, bought = (row.get(name) for name in ("sell_volume_base", "volume_base", "buy_volume_base"))
    found["tsv"] = sold if sold is not None else None if volume is None or bought is None else volume - bought
    sides = [row.get(name) for name in ("long_liquidation_base", "short_liquidation_base")]
    long, short = (side or 0.0 for side in sides)
    found["lqqty"] = None if sides == [None, None] else long + short
    found["lqside"] = None if long + short == 0 else "long" if long >= short else "short"
    return found


def slices(told: Told, series: Sequence[int], kind: str) -> dict[datetime, dict[str, float | str | None]]:
    """Rows of one perpspec of a contract by minute; `series` of it, the preferred one first."""
    found: dict[datetime, dict[str, float | str | None]] = {}
    for one in reversed(series):
        for (owner, time), row in told.items():
            values = {name: fields(row)[name] for name in SPECS[kind]}
            if owner == one and any(value is not None for value in values.values()):
                found[time] = values
    return found


def change(now: float | str | None, before: float | str | None) -> float | str | None:
    """A change in percent; of a side, what it is where that was another."""
    if isinstance(now, str) or isinstance(before, str):
        return now if now and before and now != before else None
    return None if now is None or not before else 100 * (now / before - 1)


def rolling(told: Told, series: Sequence[int], kind: str) -> dict[datetime, dict[str, float | str | None]]:
    """The same with changes against the row exactly so many minutes before."""
    rows = slices(told, series, kind)
    found: dict[datetime, dict[str, float | str | None]] = {}
    for time, row in rows.items():
        found[time] = dict(row)
        for name in row.keys() & set(CHANGING):
            for n in (1, 5, 10):
                before = rows.get(time - n * MINUTE, {}).get(name)
                found[time][f"{name}_chg_{n}m"] = change(row[name], before)
    return found


def made_up(seed: int, series: Sequence[int], first: datetime, minutes: int) -> Told:
    """Minutes with gaps, zeros and values that are not told."""
    luck = random.Random(seed)
    told: Told = {}
    for one in series:
        for n in range(minutes):
            if luck.random() > 0.15:
                told[one, first + n * MINUTE] = _minute(luck)
    return told


def _minute(luck: random.Random) -> dict[str, float | None]:
    def some(value: float) -> float | None:
        drawn = luck.random()
        return None if drawn < 0.15 else 0.0 if drawn < 0.25 else value

    price = luck.uniform(90, 110)
    row: dict[str, float | None] = {}
    if luck.random() > 0.1:
        row |= {"open": price, "high": price + 2, "low": price - 2, "close": luck.uniform(price - 2, price + 2)}
        row |= {"volume_base": some(luck.uniform(1, 9)), "buy_volume_base": some(luck.uniform(0, 1))}
    others = ("oi_base", "oi_usd", "long_short_ratio", "liquidation_price", "sell_volume_base")
    row |= {name: some(luck.uniform(1, 9)) for name in others}
    row |= {name: some(luck.choice([1.0, 2.0])) for name in ("long_liquidation_base", "short_liquidation_base")}
    row |= {"predicted_rate": some(luck.uniform(-1e-3, 1e-3)), "predicted_interval_hours": 8.0}
    return row


async def store(db: Database, told: Told, known_at: datetime | None = None) -> None:
    """Store minutes, all columns of each."""
    names = sorted({name for row in told.values() for name in row})
    schema = pa.schema([WIDE_MINUTE.field(name) for name in ("series_id", "ts", *names, "known_at")])
    rows = [{"series_id": one, "ts": time, "known_at": known_at, **row} for (one, time), row in told.items()]
    await put(db, "perp_1m", [pa.RecordBatch.from_pylist(rows, schema)])


async def beside(db: Database, series: int, source: str = "import", preference: int = 1) -> int:
    """Another series of the same contract, told by another source."""
    await db.reads.execute("insert into source (slug) values ($1) on conflict do nothing", source)
    return await db.reads.fetchval(
        """insert into series (instrument_id, source_id, preference)
        select s.instrument_id, o.id, $3 from series s, source o where s.id = $1 and o.slug = $2
        on conflict (instrument_id, source_id) do update set preference = excluded.preference returning id""",
        *(series, source, preference),
    )


RSI = """
create function rsi_minutes(series int, first timestamptz, last timestamptz, moment timestamptz)
returns table (ts timestamptz, rsi1 float8, rsi60 float8) language sql stable as $$
  select k.ts, 100 / (1 + k.close), 50::float8 from perp_1m_known(moment) k
  where k.series_id = series and k.ts >= first and k.ts < last and k.close is not null $$;
create function rsi_at(series int[], minute timestamptz, moment timestamptz)
returns table (series_id int, rsi1 float8, rsi60 float8) language sql stable as $$
  select k.series_id, 100 / (1 + k.close), 50::float8 from perp_1m_known(moment) k
  where k.series_id = any(series) and k.ts = minute and k.close is not null $$
"""


async def contracts(db: Database) -> dict[str, list[int]]:
    """Three contracts of BTC: on Binance one told by two sources and another without candles, and one on OKX."""
    if await db.reads.fetchval("select to_regproc('rsi_minutes') is null"):
        await db.reads.execute(RSI)
    main = await facts.series(db, "binance", "BTCUSDT")
    other = await facts.series(db, "binance", "BTCUSDC")
    okx = await facts.series(db, "okx", "BTC-USDT-SWAP")
    return {"binance": [main, await beside(db, main)], "okx": [okx], "other": [other]}
