"""The newest fact of each kind a series has, kept in `latest` with every write.

The statements are the same for every fact but for its columns, so they are made from the column lists here.
"""

from collections.abc import Collection
from dataclasses import dataclass

from app.db import Driver

TYPES = {
    **dict.fromkeys(("ts", "for_time", "known_at"), "timestamptz"),
    **dict.fromkeys(("interval_known", "side"), "smallint"),
    "series_id": "int",
}
"""Columns of facts that are not floats."""


@dataclass(frozen=True, slots=True)
class LatestColumns:
    """Where `latest` keeps the newest row of a fact: its time, and fact column → latest column."""

    time: str
    values: dict[str, str]


LATEST = {
    "funding": LatestColumns(
        "funding_ts",
        {"rate": "rate", "interval_hours": "interval_hours", "interval_known": "interval_known"},
    ),
    "predicted_funding": LatestColumns(
        "predicted_ts",
        {"rate": "predicted_rate", "interval_hours": "predicted_interval_hours", "for_time": "predicted_for"},
    ),
    "open_interest": LatestColumns("oi_ts", {"oi_base": "oi_base", "oi_usd": "oi_usd"}),
    "perp_1m": LatestColumns("minute_ts", {"close": "minute_close"}),
    "perp_1h": LatestColumns("hour_ts", {"close": "hour_close"}),
}
POLLED = frozenset({"predicted_funding", "open_interest", "perp_1h"})
"""Facts that are told of many series at once, one row each, as one whole."""
NEWEST_CANDLE = """(
  select max(c.ts) from perp_1m c
  where c.series_id = t.series_id and c.ts between t.first and t.last and c.close is not null)"""
"""Of minutes the newest that has a candle."""


def has_latest(fact: str, names: Collection[str]) -> bool:
    """Whether rows of these columns, as they come, are what `latest` keeps of a fact. Not every minute has a candle."""
    return fact in LATEST and fact != "perp_1m" and LATEST[fact].values.keys() <= set(names)


def poll_table(fact: str) -> str:
    """What a poll touches, one row a series, with what `latest` keeps of it."""
    values = ", ".join(f"{name} {TYPES.get(name, 'float8')}" for name in LATEST[fact].values)
    return (
        f"create temporary table touched (series_id int, first timestamptz, last timestamptz, {values}) on commit drop"
    )


async def advance(copy: Driver, fact: str) -> int:
    """Put the rows of a poll into `latest` that are later than what it has; returns how many these are."""
    to = LATEST[fact]
    new = ", ".join(f"{name} = excluded.{name}" for name in (to.time, *to.values.values()))
    done = await copy.execute(
        f"""insert into latest (series_id, {to.time}, {", ".join(to.values.values())})
        select series_id, last, {", ".join(to.values)} from touched order by series_id
        on conflict (series_id) do update set {new}
        where latest.{to.time} is null or latest.{to.time} < excluded.{to.time}"""
    )
    return int(done.split()[-1])


async def put(copy: Driver, fact: str, holder: str) -> None:
    """The newest touched row of each series into `latest`, unless a newer one is there. Not every fact has a place.

    What `latest` says already is not written again, so that its rows of this transaction are the news.
    `holder`: a table that has these rows as they are stored, the fact's own or the staging table.
    """
    to = LATEST.get(fact)
    if to is None:
        return
    newest = "t.last" if fact != "perp_1m" else NEWEST_CANDLE
    picked = ", ".join(f"f.{column}" for column in to.values)
    old, told = (", ".join(f"{row}.{name}" for name in to.values.values()) for row in ("latest", "excluded"))
    among = holder == fact and fact != "perp_1m"
    narrow = "f.ts between (select min(last) from touched) and (select max(last) from touched)" if among else "true"
    new = ", ".join(f"{name} = excluded.{name}" for name in (to.time, *to.values.values()))
    await copy.execute(
        f"""insert into latest (series_id, {to.time}, {", ".join(to.values.values())})
        select t.series_id, f.ts, {picked}
        from touched t join {holder} f on f.series_id = t.series_id and f.ts = {newest}
        where {narrow}
        order by t.series_id
        on conflict (series_id) do update set {new}
        where latest.{to.time} is null or latest.{to.time} < excluded.{to.time}
          or latest.{to.time} = excluded.{to.time} and ({old}) is distinct from ({told})"""
    )
