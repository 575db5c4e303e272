"""the minute warehouse: one wide row a minute, liquidations, perpspecs, gaps, retention."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CANDLE = ("open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "trades")
MINUTE = (
    "sell_volume_base", "oi_base", "oi_usd", "predicted_rate", "predicted_interval_hours", "long_short_ratio",
    "liquidation_price", "long_liquidation_base", "short_liquidation_base", "mark_price",
    "index_price",
)
LIQUIDATION = {"side": "smallint", "price": "float8", "quantity": "float8"}

KNOWN = """
create function {fact}_known(moment timestamptz)
returns table (series_id int, ts timestamptz, {typed}, known_at timestamptz)
language sql stable parallel safe as $$
  select f.series_id, f.ts, {plain}, f.known_at
  from {fact} f where moment is null or f.known_at <= moment
  union all
  select r.series_id, r.ts, {said}, r.known_at
  from revision r
  where moment is not null and r.fact = '{fact}' and r.known_at <= moment and r.replaced_at > moment
$$
"""

# RSI as the domain rules have it (section 6), computed when it is read.
RSI = (
    # Wilder's smoothing over 14 values, the first of them the seed. A remainder too small to show would underflow.
    """
create function wilder_step(smoothed float8, next float8)
returns float8
language sql immutable strict parallel safe as $$
  select (case when smoothed > 1e-200 then smoothed * 13 else 0 end + next) / 14
$$
""",
    "create aggregate wilder(float8) (sfunc = wilder_step, stype = float8, parallel = safe)",
    # RSI(14) of candles `step` apart, one row a candle: of the last 500 up to it, or of those since a gap; null until
    # there are 14 changes. What came before the 500 has a weight of (13/14)^485 and is taken out again: in a market
    # that stands still even that would be seen, and the answer would hang on where one began.
    """
create function rsi_of(times timestamptz[], closes float8[], step interval)
returns table (ts timestamptz, rsi float8)
language sql immutable parallel safe as $$
  with candle as (
    select c.ts, c.close - lag(c.close) over told as change, c.ts - lag(c.ts) over told is distinct from step as starts
    from unnest(times, closes) as c(ts, close) window told as (order by c.ts)
  ), run as (
    select c.ts, case when not starts then greatest(change, 0) end as gain,
      case when not starts then greatest(-change, 0) end as loss,
      count(*) filter (where starts) over (order by c.ts) as run
    from candle c
  ), seeded as (
    select run.*, row_number() over since - 1 as changes,
      avg(gain) over fourteen as mean_gain, count(*) filter (where gain > 0) over held as gains,
      avg(loss) over fourteen as mean_loss, count(*) filter (where loss > 0) over held as losses
    from run
    window since as (partition by run order by run.ts), fourteen as (since rows 13 preceding),
      held as (since rows 498 preceding)
  ), smooth as (
    select *, wilder(case when changes > 14 then gain when changes = 14 then mean_gain end) over since as up,
      wilder(case when changes > 14 then loss when changes = 14 then mean_loss end) over since as down
    from seeded window since as (partition by run order by seeded.ts)
  ), recent as (
    select smooth.ts, changes,
      case when gains > 0 then up + coalesce(lag(mean_gain - up, 485) over since * faded, 0) else 0 end as up,
      case when losses > 0 then down + coalesce(lag(mean_loss - down, 485) over since * faded, 0) else 0 end as down
    from smooth, (select (13 / 14::float8) ^ 485 as faded) of_485
    window since as (partition by run order by smooth.ts)
  )
  select recent.ts, case when changes >= 14 then coalesce(100 * (up / nullif(up + down, 0)), 50) end from recent
$$
""",
    # Closes of the hours that begin in [first, last): of the last minute there is, or of the hour where no minute is.
    # Each by its key, minute 59 first: a plan that goes by the time would read every series there is.
    """
create function hour_closes(series int[], first timestamptz, last timestamptz, moment timestamptz)
returns table (series_id int, ts timestamptz, close float8)
language sql stable parallel safe as $$
  select * from (
    select s, h, coalesce(
      (select c.close from perp_1m_known(moment) c
       where c.series_id = s and c.ts = h + interval '59 minutes' and c.close is not null),
      (select c.close from perp_1m_known(moment) c
       where c.series_id = s and c.ts >= h and c.ts < h + interval '59 minutes' and c.close is not null
       order by c.ts desc limit 1),
      (select p.close from perp_1h_known(moment) p where p.series_id = s and p.ts = h)) as close
    from unnest(series) s, generate_series(first, last - interval '1 microsecond', interval '1 hour') h
    offset 0
  ) hour where close is not null
$$
""",
    # The hour completed last when the minute that opens at `minute` closes.
    """
create function hour_completed(minute timestamptz)
returns timestamptz
language sql immutable parallel safe as $$
  select date_bin('1 hour', minute + interval '1 minute', '2000-01-01Z') - interval '1 hour'
$$
""",
    # RSI(14) of the minutes of [first, last) that have a candle, and of the hour completed last at the close of each.
    """
create function rsi_minutes(series int, first timestamptz, last timestamptz, moment timestamptz)
returns table (ts timestamptz, rsi1 float8, rsi60 float8)
language sql stable parallel safe as $$
  with minute as materialized (
    select array_agg(c.ts) as times, array_agg(c.close) as closes
    from perp_1m_known(moment) c
    where c.series_id = series and c.ts >= first - interval '499 minutes' and c.ts < last and c.close is not null
  ), hour as materialized (
    select array_agg(h.ts) as times, array_agg(h.close) as closes
    from hour_closes(
      array[series], hour_completed(first) - interval '499 hours',
      hour_completed(last - interval '1 microsecond') + interval '1 hour', moment) h
  )
  select m.ts, m.rsi, h.rsi
  from (select r.* from minute, rsi_of(times, closes, interval '1 minute') r where r.ts >= first) m
  left join (select r.* from hour, rsi_of(times, closes, interval '1 hour') r) h on h.ts = hour_completed(m.ts)
$$
""",
    # The same of many series at one minute: the weights that the smoothing comes to are known, so that a sum will do.
    """
create function rsi_at(series int[], minute timestamptz, moment timestamptz)
returns table (series_id int, rsi1 float8, rsi60 float8)
language sql stable parallel safe as $$
  with candle as (
    select c.series_id, 1 as minutes, extract(epoch from minute - c.ts)::int / 60 as back, c.close
    from perp_1m_known(moment) c
    where c.series_id = any(series) and c.close is not null
      and c.ts > minute - interval '500 minutes' and c.ts <= minute
    union all
    select h.series_id, 60, extract(epoch from newest - h.ts)::int / 3600, h.close
    from hour_completed(minute) as newest,
      hour_closes(series, newest - interval '499 hours', newest + interval '1 hour', moment) h
  ), aged as (
    select *, row_number() over before - 1 as age, close - lead(close) over before as change
    from candle window before as (partition by candle.series_id, minutes order by back)
  ), run as (
    select *, count(*) over (partition by aged.series_id, minutes) - 1 as changes from aged where back = age
  ), mean as (
    select run.series_id, minutes, sum(greatest(change, 0) * weight) as up, sum(greatest(-change, 0) * weight) as down
    from run cross join lateral (select (13 / 14::float8) ^ least(age, changes - 14) as weight) faded
    where changes >= 14 and age < changes group by run.series_id, minutes
  ), strength as (
    select mean.series_id, minutes, coalesce(100 * (up / nullif(up + down, 0)), 50) as rsi from mean
  )
  select s.series_id, max(rsi) filter (where minutes = 1), max(rsi) filter (where minutes = 60)
  from strength s group by s.series_id
$$
""",
)
RSI_SIGNATURES = (
    "function rsi_at(int[], timestamptz, timestamptz)",
    "function rsi_minutes(int, timestamptz, timestamptz, timestamptz)",
    "function hour_completed(timestamptz)",
    "function hour_closes(int[], timestamptz, timestamptz, timestamptz)",
    "function rsi_of(timestamptz[], float8[], interval)",
    "aggregate wilder(float8)",
    "function wilder_step(float8, float8)",
)
TELLS = """
create function tells(told perp_1m, dataset text) returns boolean
language sql immutable parallel safe as $$
  select case dataset
    when 'candles_1m' then told.close is not null
    when 'open_interest' then coalesce(told.oi_base, told.oi_usd) is not null
    when 'predicted_funding' then told.predicted_rate is not null
    when 'long_short' then told.long_short_ratio is not null
    when 'taker_volume' then told.buy_volume_base is not null
    else false
  end
$$
"""
STORED_MINUTES = """
create function stored_minutes(series int, dataset text, starts timestamptz, ends timestamptz) returns tstzmultirange
language sql stable parallel safe as $$
  select coalesce(range_agg(tstzrange(told.ts, told.ts + step.length)), '{}')
  from (values (case dataset when 'long_short' then interval '5 minutes' else interval '1 minute' end)) step(length),
  lateral (
    select date_bin(step.length, p.ts, 'epoch') as ts from perp_1m p
    where p.series_id = series and p.ts >= date_bin(step.length, starts, 'epoch') and p.ts < ends
      and tells(p, dataset)
  ) told
$$
"""

# Slices to start with: of three exchanges six each, and one across all.
EXCHANGES = {"bin": "binance", "byb": "bybit", "okx": "okx"}
KINDS = {
    "ohlcv": ("o", "h", "l", "c", "v"),
    "oi": ("oi", "oi_usd"),
    "pfr": ("pfr", "interval_hours"),
    "lsr": ("lsr",),
    "tv": ("tbv", "tsv"),
    "lq": ("lqside", "lqprice", "lqqty"),
}


def has_timescale() -> bool:
    found = op.get_bind().execute(sa.text("select 1 from pg_extension where extname = 'timescaledb'"))
    return found.scalar() is not None


def create_known(fact: str, columns: dict[str, str]) -> None:
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    plain = ", ".join(f"f.{name}" for name in columns)
    said = ", ".join(f"(r.said->>'{name}')::{kind}" for name, kind in columns.items())
    op.execute(KNOWN.format(fact=fact, typed=typed, plain=plain, said=said))


def floats(names: tuple[str, ...]) -> dict[str, str]:
    return dict.fromkeys(names, "float8")


def widen_minutes() -> None:
    for name in CANDLE[:4]:
        op.alter_column("perp_1m", name, nullable=True)
    for name in MINUTE:
        op.add_column("perp_1m", sa.Column(name, sa.Float(53), nullable=True))
    op.create_index("ix_perp_1m_ts", "perp_1m", ["ts"])
    op.execute("drop function perp_1m_known(timestamptz)")
    create_known("perp_1m", floats(CANDLE + MINUTE))


def columns_of_users() -> list[str]:
    rest = {"series_id", "ts", "known_at", "batch_id", *CANDLE, *MINUTE}
    return [one["name"] for one in sa.inspect(op.get_bind()).get_columns("perp_1m") if one["name"] not in rest]


def create_liquidation() -> None:
    timescale = has_timescale()
    by_time = {} if timescale else {"postgresql_partition_by": "RANGE (ts)"}
    op.create_table(
        "liquidation",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("price", sa.Float(53), nullable=False),
        sa.Column("quantity", sa.Float(53), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("series_id", "ts", name=op.f("pk_liquidation")),
        **by_time,
    )
    if timescale:
        op.execute(
            "select create_hypertable('liquidation', by_range('ts', interval '1 day'), create_default_indexes => false)"
        )
    create_known("liquidation", LIQUIDATION)


def create_perpspec() -> None:
    table = op.create_table(
        "perpspec",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("exchange", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("interval", sa.String(), server_default="1m", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_perpspec")),
    )
    rows = [
        {"name": f"{short}-{kind}", "exchange": exchange, "kind": kind, "fields": list(fields)}
        for short, exchange in EXCHANGES.items()
        for kind, fields in KINDS.items()
    ]
    rsi = {"name": "rsi", "exchange": None, "kind": "rsi", "fields": ["rsi1", "rsi60"]}
    op.bulk_insert(table, [*rows, rsi])


def create_gap() -> None:
    op.create_table(
        "gap",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("first", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="open", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_gap_series_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap")),
    )
    known = sa.text("state <> 'repaired'")
    op.create_index("uq_gap_begin", "gap", ["series_id", "dataset", "first"], unique=True, postgresql_where=known)
    repaired = sa.text("state = 'repaired'")
    op.create_index("ix_gap_repaired", "gap", ["series_id", "dataset", "last"], postgresql_where=repaired)
    unsettled = sa.text("state in ('open', 'repairing')")
    op.create_index("ix_gap_unsettled", "gap", ["next_try_at"], postgresql_where=unsettled)
    op.create_index("ix_gap_first", "gap", ["first"])
    op.execute(TELLS)
    op.execute(STORED_MINUTES)


def create_running() -> None:
    op.create_table(
        "retention",
        sa.Column("fact", sa.String(), nullable=False),
        sa.Column("removed_before", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fact", name=op.f("pk_retention")),
    )
    op.create_table(
        "collector",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("subscriptions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("messages", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("messages_per_s", sa.Float(53), nullable=True),
        sa.Column("lag_s", sa.Float(53), nullable=True),
        sa.Column("dropped", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reconnects", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collector")),
    )
    op.create_table(
        "error_log",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("dataset", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("context", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_log")),
    )
    op.create_index("ix_error_log_at", "error_log", ["at"])


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    widen_minutes()
    create_liquidation()
    create_perpspec()
    create_gap()
    create_running()
    for statement in RSI:
        op.execute(statement)


def downgrade() -> None:
    for signature in RSI_SIGNATURES:
        op.execute(f"drop {signature}")
    op.execute("drop function stored_minutes(int, text, timestamptz, timestamptz)")
    op.execute("drop function tells(perp_1m, text)")
    for table in ("error_log", "collector", "retention", "gap", "perpspec"):
        op.drop_table(table)
    op.execute("drop function liquidation_known(timestamptz)")
    op.drop_table("liquidation")
    op.execute("delete from revision where fact = 'liquidation'")
    op.execute("drop function perp_1m_known(timestamptz)")
    op.execute("drop function if exists perp_1m_known_before(timestamptz)")
    op.execute("delete from perp_1m where num_nulls(open, high, low, close) > 0")
    op.drop_index("ix_perp_1m_ts", "perp_1m")
    for name in (*MINUTE, *columns_of_users()):
        op.drop_column("perp_1m", name)
    for name in CANDLE[:4]:
        op.alter_column("perp_1m", name, nullable=False)
    create_known("perp_1m", floats(CANDLE))
