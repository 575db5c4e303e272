"""The minute warehouse at full size: what it costs on disk, to store and to ask; against rows per perpspec."""

import time
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.api.perp_data import JoinedMinute, PerpDatum
from app.api.rolling import MinuteOfAsset
from app.api.schemas import Chosen
from app.api.slices import by_name, chosen, values_of
from app.db import SESSION, Database
from app.records import MINUTE_COLUMNS, Instrument
from app.services import perpspecs, reference, slices, store, tidy
from app.services.perpspecs import Perpspec
from app.services.queries import Query
from app.services.slices import Question, Whose
from app.services.slices_text import Condition, Value
from tests.bench.load import http, side_by_side
from tests.bench.report import Line
from tests.bench.serving import FORGET, bare, served

SYMBOLS, DAYS, MINUTES_A_DAY, ROUNDS = 100, 10, 1440, 25
TURNS, SECONDS = 5, 2.0
EXCHANGES = ("binance", "bybit", "okx")
START = datetime(2026, 10, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EMPTIED = "truncate funding, open_interest, perp_1m, liquidation, revision, latest, coin_1h, coin_1h_ready"
SIZE = "select sum(pg_total_relation_size(relid)) from pg_partition_tree('perp_1m') where isleaf"
COINS = """
select symbol from entity e
where not exists (select from entity o where lower(o.symbol) = lower(e.symbol) and o.id <> e.id)
order by symbol <> 'BTC', id limit $1
"""


async def fill(db: Database) -> tuple[list[int], int]:
    """Ten days of 100 symbols on three exchanges, each column told; their series, and how many values there are."""
    await db.reads.execute(EMPTIED)
    coins = [row["symbol"] for row in await db.reads.fetch(COINS, SYMBOLS)]
    series: list[int] = []
    for exchange in EXCHANGES:
        listed = [Instrument(f"{coin}USDT-BENCH", coin, "USDT") for coin in coins]
        await reference.put_instruments(db, exchange, listed)
        told = await reference.series_of(db, exchange, exchange)
        series += [told[one.symbol].id for one in listed]
    dice, walk, values = np.random.default_rng(1), np.full(len(series), 100.0), 0
    for day in range(DAYS):
        rows, walk = minutes(series, START + day * MINUTES_A_DAY * MINUTE, MINUTES_A_DAY, dice, walk)
        values += sum(len(rows) - rows.column(name).null_count for name in MINUTE_COLUMNS)
        await store.put(db, "perp_1m", [rows.slice(at, 50_000) for at in range(0, rows.num_rows, 50_000)])
    for day in range(1, DAYS + 1):
        await tidy.finished_days(db, START + timedelta(days=day))
    await db.reads.execute("vacuum analyze perp_1m")
    return series, values


def minutes(
    series: list[int], start: datetime, count: int, dice: np.random.Generator, walk: NDArray[np.float64]
) -> tuple[pa.RecordBatch, NDArray[np.float64]]:
    """Minutes of these series, one after the other: random walks, few liquidations, a ratio every five."""
    width = len(series)
    steps = np.exp(dice.normal(0, 0.0015, (count, width)))
    close = walk * np.cumprod(steps, axis=0)
    first = np.vstack([walk, close[:-1]])
    high, low = np.maximum(first, close) * (1 + steps * 1e-4), np.minimum(first, close) * (1 - steps * 1e-4)
    volume = dice.lognormal(5, 2, (count, width))
    buys = volume * dice.uniform(0.2, 0.8, (count, width))
    held = dice.lognormal(12, 1, width) * np.exp(np.cumsum(dice.normal(0, 1e-3, (count, width)), axis=0))
    hit = dice.random((count, width)) < 0.05
    some = np.where(hit, dice.lognormal(2, 1, (count, width)), 0.0)
    fives = np.where((np.arange(count) % 5 == 0)[:, None], dice.uniform(0.5, 3, (count, width)), np.nan)
    told = {
        "open": first, "high": high, "low": low, "close": close, "volume_base": volume, "volume_usd": volume * close,
        "buy_volume_base": buys, "trades": np.floor(volume), "sell_volume_base": volume - buys, "oi_base": held,
        "oi_usd": held * close, "predicted_rate": dice.normal(1e-4, 1e-5, (count, width)),
        "predicted_interval_hours": np.full((count, width), 8.0), "long_short_ratio": fives,
        "liquidation_price": np.where(hit, close, np.nan), "long_liquidation_base": some,
        "short_liquidation_base": np.zeros((count, width)), "mark_price": close * 1.0001,
        "index_price": close * 1.0002,
    }  # fmt: skip
    begins = round(start.timestamp() * 1e6) + np.arange(count, dtype=np.int64) * 60_000_000
    arrays = [pa.array(np.tile(np.array(series, np.int32), count)), pa.array(np.repeat(begins, width)).cast(store.TIME)]
    arrays += [pa.array(told[name].ravel(), from_pandas=True) for name in MINUTE_COLUMNS]
    fields = [store.WIDE_MINUTE.field(name) for name in ("series_id", "ts", *MINUTE_COLUMNS, "known_at")]
    rows = pa.RecordBatch.from_arrays([*arrays, pa.nulls(count * width, store.TIME)], schema=pa.schema(fields))
    return rows, close[-1]


async def a_minute(db: Database, series: list[int]) -> Line:
    """One minute as it passes: 300 rows stored, against COPY of the same rows, as tuples, into a bare table."""
    dice, walk, found = np.random.default_rng(2), np.full(len(series), 100.0), list[tuple[float, float]]()
    connection = await asyncpg.connect(db.dsn)
    typed = ", ".join(f"{name} float8" for name in MINUTE_COLUMNS)
    await connection.execute(f"create table raw_minute (series_id int, ts timestamptz, {typed}, known_at timestamptz)")
    try:
        for number in range(ROUNDS):
            at = START + (DAYS * MINUTES_A_DAY + number) * MINUTE
            rows, walk = minutes(series, at, 1, dice, walk)
            tuples = [tuple(row.values()) for row in rows.to_pylist()]
            begun = time.perf_counter()
            await connection.copy_records_to_table("raw_minute", records=tuples)
            between = time.perf_counter()
            await store.put(db, "perp_1m", [rows])
            found.append((between - begun, time.perf_counter() - between))
    finally:
        await connection.execute("drop table raw_minute")
        await connection.close()
    raw, ours = (1000 * median(column) for column in zip(*found, strict=True))
    figures = f"{ours:.1f} and {raw:.1f} ms, {len(series)} rows × {len(MINUTE_COLUMNS)} values (wanted: below 200 ms)"
    return Line("a live minute of 300 contracts ÷ raw asyncpg COPY", raw / ours, "for information", figures)


ROWS_PER_PERPSPEC = """
create table perp_data as
select m.ts, i.symbol, x.slug as exchange, left(x.slug, 3) || '-' || k.kind as perpspec,
  case k.kind when 'ohlcv' then m.open end as o, case k.kind when 'ohlcv' then m.high end as h,
  case k.kind when 'ohlcv' then m.low end as l, case k.kind when 'ohlcv' then m.close end as c,
  case k.kind when 'ohlcv' then m.volume_base end as v, case k.kind when 'oi' then m.oi_base end as oi,
  case k.kind when 'pfr' then m.predicted_rate end as pfr, case k.kind when 'lsr' then m.long_short_ratio end as lsr,
  case k.kind when 'tv' then m.buy_volume_base end as tbv, case k.kind when 'tv' then m.sell_volume_base end as tsv,
  case k.kind when 'lq' then m.liquidation_price end as lqprice,
  case k.kind when 'lq' then m.long_liquidation_base + m.short_liquidation_base end as lqqty
from perp_1m m join series s on s.id = m.series_id join instrument i on i.id = s.instrument_id
join exchange x on x.id = i.exchange_id
cross join unnest(array['ohlcv', 'oi', 'pfr', 'lsr', 'tv', 'lq']) as k(kind)
where m.ts >= $1 and m.ts < $2 and case k.kind when 'lsr' then m.long_short_ratio is not null
  when 'lq' then m.liquidation_price is not null else true end
"""
CHANGED = ("c", "v", "oi", "pfr", "lsr", "tbv", "tsv", "lqprice", "lqqty")


async def rows_per_perpspec(db: Database, day: datetime) -> float:
    """One day in the other shape: a row a perpspec, changes stored with it, and the indexes it needs. Its bytes."""
    changes = ", ".join(
        f"100 * ({name} / nullif(lag({name}, {n}) over k, 0) - 1) as {name}_chg_{n}m"
        for name in CHANGED
        for n in (1, 5, 10)
    )
    text = ROWS_PER_PERPSPEC.replace("$1", f"'{day.isoformat()}'").replace("$2", f"'{day + timedelta(days=1)}'")
    for statement in (
        text,
        f"create table perp_metrics as select *, {changes} from perp_data "
        "window k as (partition by symbol, perpspec order by ts)",
        "drop table perp_data",
        "alter table perp_metrics add primary key (ts, symbol, perpspec)",
        "create index on perp_metrics (symbol, ts desc)",
        "create index on perp_metrics (perpspec, ts desc)",
        "create index on perp_metrics (symbol, perpspec, ts desc)",
        "vacuum analyze perp_metrics",
    ):
        await db.reads.execute(statement, timeout=600)
    return float(await db.reads.fetchval("select pg_total_relation_size('perp_metrics')"))


def _values(found: tuple[Perpspec, ...], *, changes: bool) -> tuple[Value, ...]:
    return tuple(values_of(found, changes=changes).values())


async def _question(
    db: Database, found: tuple[Perpspec, ...], values: tuple[Value, ...], asset: str | None, *conditions: Condition
) -> Question:
    entity = asset and await db.reads.fetchval("select id from entity where canonical_id = $1", asset)
    members = await slices.contracts(db, found, Whose(entity_ids=None if entity is None else (entity,)))
    return Question(found, members, values, conditions)


async def measure(db: Database, dsn: str) -> list[Line]:
    """Disk, writing, and the questions of the API; each against the bare statement and against the other shape."""
    series, values = await fill(db)
    size = float(await db.reads.fetchval(SIZE))
    rows = len(series) * DAYS * MINUTES_A_DAY
    told = f"{size / 1e6:,.0f} MB, indexes included; {size / rows / len(MINUTE_COLUMNS):.1f} a column, told or not"
    lines = [Line(f"{rows:,} minutes of 300 contracts: bytes a value that is told", size / values, "at most 14", told)]
    lines.append(await a_minute(db, series))
    await db.reads.execute("vacuum analyze perp_1m")
    day = START + (DAYS - 2) * MINUTES_A_DAY * MINUTE
    theirs = await rows_per_perpspec(db, day)
    found = tuple(one for one in await perpspecs.listed(db) if one.exchange)
    with served(dsn) as address:
        lines += await _day(db, dsn, address, found, day)
        lines += await _cross_section(db, dsn, address, found, day + timedelta(hours=13))
    lines += await _scan(db, dsn, found, day)
    await db.reads.execute("drop table perp_metrics")
    ours = size / DAYS
    disk = f"{theirs / 1e6:,.0f} and {ours / 1e6:,.0f} MB a day"
    return [
        *lines,
        Line(
            "a day as rows per perpspec with stored changes ÷ wide minutes: bytes",
            theirs / ours,
            "for information",
            disk,
        ),
    ]


async def _day(db: Database, dsn: str, address: str, found: tuple[Perpspec, ...], day: datetime) -> list[Line]:
    """A symbol, a day, 18 perpspecs: side by side by the minute, and as rows with all their changes."""
    names, end = ",".join(one.name for one in found), day + timedelta(days=1)
    asked = f"perpspecs={names}&start={day:%Y-%m-%d}&end={end:%Y-%m-%d}&format=columns&limit=10000"
    plain = await _question(db, found, _values(found, changes=False), "bitcoin")
    beside, columns = slices.side_by_side(plain, day, end)
    changed = await _question(db, found, _values(found, changes=True), "bitcoin")
    moving, row = slices.during(changed, day, end), chosen(PerpDatum, by_name(changed.values))
    questions = {
        "side by side": (beside, chosen(JoinedMinute, columns), f"{address}/perp-data/BTC?joined=true&{asked}"),
        "10,000 rows with their changes": (moving, row, f"{address}/rolling/BTC?{asked}"),
    }
    lines = [await _asked(dsn, f"1 symbol, 1 day, 18 perpspecs, {name}", *told) for name, told in questions.items()]
    other = "select * from perp_metrics where symbol = $1 and ts >= $2 and ts < $3 order by ts, perpspec"
    return [
        *lines,
        await _against(dsn, "all of that with changes", moving, (other, changed.members.instrument[0], day, end)),
    ]


async def _cross_section(
    db: Database, dsn: str, address: str, found: tuple[Perpspec, ...], minute: datetime
) -> list[Line]:
    """All contracts at one minute, with changes."""
    ohlcv = tuple(one for one in found if one.kind == "ohlcv")
    lines: list[Line] = []
    for name, asked in (("o, h, l, c, v", ohlcv), ("18 perpspecs", found)):
        question = await _question(db, asked, _values(asked, changes=True), None)
        row = chosen(MinuteOfAsset, by_name(question.values))
        url = f"{address}/rolling?perpspecs={','.join(one.name for one in asked)}"
        url += f"&at={minute + MINUTE:%Y-%m-%dT%H:%M:%SZ}&limit=10000&format=columns"
        lines.append(
            await _asked(dsn, f"300 contracts at one minute, {name}", slices.across(question, minute), row, url)
        )
    question = await _question(db, found, _values(found, changes=True), None)
    other = ("select * from perp_metrics where ts = $1 order by symbol, perpspec", minute)
    return [*lines, await _against(dsn, "300 contracts at one minute", slices.across(question, minute), other)]


async def _asked(dsn: str, name: str, query: Query, row: Chosen, url: str) -> Line:
    rates = await side_by_side(
        TURNS, SECONDS, 1, http=http(url, FORGET), bare=bare(dsn, query, row, 10_000, arrays=True)
    )
    figures = f"{1000 / rates['http']:.1f} and {1000 / rates['bare']:.1f} ms, 1 connection"
    return Line(f"{name}: time over HTTP ÷ the bare statement", rates["bare"] / rates["http"], "at most 2", figures)


async def _against(dsn: str, name: str, query: Query, other: tuple[object, ...]) -> Line:
    """The same rows fetched of the other shape, which has one day and its changes stored, and of ours."""
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    try:
        found: list[tuple[float, float]] = []
        for _ in range(TURNS):
            begun = time.perf_counter()
            ours = await connection.fetch(query.text, *query.arguments)
            between = time.perf_counter()
            theirs = await connection.fetch(*other)  # type: ignore[arg-type]
            found.append((between - begun, time.perf_counter() - between))
    finally:
        await connection.close()
    if not 0.5 < len(theirs) / len(ours) < 2:
        raise RuntimeError(f"{name}: {len(ours)} rows of ours, {len(theirs)} of theirs")
    mine, their = (1000 * median(column) for column in zip(*found, strict=True))
    figures = f"{their:.1f} and {mine:.1f} ms, {len(ours):,} rows fetched"
    return Line(f"{name}: a row a perpspec with stored changes ÷ ours", their / mine, "for information", figures)


async def _scan(db: Database, dsn: str, found: tuple[Perpspec, ...], day: datetime) -> list[Line]:
    """Every minute in ten days in which any of 100 symbols moved by more than 3 % in five: all of it, and its plan."""
    ohlcv = tuple(one for one in found if one.kind == "ohlcv")
    there = values_of(ohlcv, changes=True)
    moved = there["c_chg_5m"]
    question = await _question(db, ohlcv, (there["c"], moved), None, Condition(moved, ">", 3.0))
    query = slices.during(question, START, START + timedelta(days=DAYS))
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    try:
        begun = time.perf_counter()
        hits = await connection.fetch(query.text, *query.arguments)
        between = time.perf_counter()
        other = "select * from perp_metrics where perpspec like '%ohlcv' and c_chg_5m > 3 and ts >= $1 and ts < $2"
        theirs = await connection.fetch(other, day, day + timedelta(days=1))
        took, day_of_theirs = between - begun, time.perf_counter() - between
        plan = await connection.fetch(f"explain (costs off) {query.text}", *query.arguments)
    finally:
        await connection.close()
    print("Plan of the ten-day scan:", *(row[0] for row in plan), sep="\n  ")  # noqa: T201
    figures = (
        f"{took:.1f} s for ten days ({len(hits):,} hits); {day_of_theirs:.2f} s for one day ({len(theirs):,} hits)"
    )
    name = "scan of ten days, c_chg_5m > 3: one day as rows per perpspec × 10 ÷ ours"
    return [Line(name, day_of_theirs * DAYS / took, "for information", figures)]
