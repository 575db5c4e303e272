"""options and ticks: quotes, trades, depth, minutes and greeks of options, index prices, delivery prices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OPTION_MINUTE = (
    "open", "high", "low", "close", "volume_base", "volume_quote", "bid", "ask", "mark_price", "mark_iv",
    "underlying_price", "index_price", "open_interest", "volume_24h",
)
GREEKS = ("delta", "gamma", "vega", "theta", "rho")
INDEX = ("open", "high", "low", "close")
VERSIONED = {"option_1m": OPTION_MINUTE, "greeks": GREEKS, "index_price": INDEX, "delivery_price": ("price",)}
"""Facts that keep what they said before, and their columns."""
DAILY = ("option_tick", "option_trade", "depth", "option_1m", "greeks", "index_price")
SIDES = ("bid", "ask")
OF_HOUR = ("open", "high", "low", "close")

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

# Where each partition (or chunk) of a table begins and ends, and its bytes with those of its indexes.
PARTITIONS = """
create function partition_sizes()
returns table (fact text, first timestamptz, last timestamptz, bytes bigint)
language sql stable as $$
  select fact, first::timestamptz, last::timestamptz, bytes
  from (
    select p.relname::text as fact, (regexp_match(told.bound, $re$FROM \\('([^']+)'\\)$re$))[1] as first,
      (regexp_match(told.bound, $re$TO \\('([^']+)'\\)$re$))[1] as last,
      coalesce(pg_total_relation_size(c.oid), 0) as bytes
    from pg_class p
    join pg_inherits i on i.inhparent = p.oid
    join pg_class c on c.oid = i.inhrelid,
    lateral pg_get_expr(c.relpartbound, c.oid) as told(bound)
    where p.relkind = 'p' and p.relnamespace = current_schema()::regnamespace
  ) native
  where first is not null and last is not null
  {chunks}
$$
"""
CHUNKS = """
  union all
  select c.hypertable_name::text, c.range_start, c.range_end, coalesce(s.total_bytes, 0)
  from timescaledb_information.hypertables h,
  lateral chunks_detailed_size(format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass) s
  join timescaledb_information.chunks c using (chunk_schema, chunk_name)
  where h.hypertable_schema = current_schema()
"""


def has_timescale() -> bool:
    found = op.get_bind().execute(sa.text("select 1 from pg_extension where extname = 'timescaledb'"))
    return found.scalar() is not None


def number(name: str, *, nullable: bool = True) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=nullable)


def numbers(name: str) -> sa.Column[list[float]]:
    return sa.Column(name, postgresql.ARRAY(sa.Float(53)), nullable=False)


def create_fact(name: str, *columns: sa.Column, key: tuple[str, ...] = ("series_id", "ts"), batch: bool = True) -> None:
    """A table of facts by time; a hypertable where TimescaleDB is."""
    timescale = has_timescale()
    by_time = {"postgresql_partition_by": "RANGE (ts)"} if name in DAILY and not timescale else {}
    op.create_table(
        name,
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        *columns,
        sa.Column("known_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        *([sa.Column("batch_id", sa.Integer(), nullable=True)] if batch else []),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        **by_time,
    )
    if timescale and name in DAILY:
        op.execute(
            f"select create_hypertable('{name}', by_range('ts', interval '1 day'), create_default_indexes => false)"
        )


def create_known(fact: str, columns: tuple[str, ...]) -> None:
    typed = ", ".join(f"{name} float8" for name in columns)
    plain = ", ".join(f"f.{name}" for name in columns)
    said = ", ".join(f"(r.said->>'{name}')::float8" for name in columns)
    op.execute(KNOWN.format(fact=fact, typed=typed, plain=plain, said=said))


def widen_instruments() -> None:
    op.add_column("instrument", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("instrument", number("strike"))
    op.add_column("instrument", sa.Column("option_type", sa.String(), nullable=True))
    op.add_column("instrument", sa.Column("price_index", sa.String(), nullable=True))
    op.add_column("instrument", number("tick_size"))


def create_ticks() -> None:
    create_fact(
        "option_tick", *(number(name) for name in ("bid", "ask", "bid_amount", "ask_amount")), batch=False
    )
    create_fact(
        "option_trade",
        sa.Column("trade_seq", sa.BigInteger(), nullable=False),
        sa.Column("trade_id", sa.String(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        number("price", nullable=False),
        number("amount", nullable=False),
        number("iv"),
        number("mark_price"),
        number("index_price"),
        sa.Column("liquidation", sa.String(), nullable=True),
        sa.Column("is_block", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_combo", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        key=("series_id", "ts", "trade_seq"),
        batch=False,
    )
    create_fact(
        "depth",
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        *(numbers(name) for name in ("bid_prices", "bid_amounts", "ask_prices", "ask_amounts")),
        batch=False,
    )


def create_rollup() -> None:
    op.create_table(
        "option_tick_1h",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        *(number(f"{side}_{what}") for side in SIDES for what in OF_HOUR),
        sa.Column("quotes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "ts", name=op.f("pk_option_tick_1h")),
    )
    op.create_index("ix_option_tick_1h_ts", "option_tick_1h", ["ts"])
    op.create_table(
        "option_tick_late",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_option_tick_late")),
    )


def create_complete() -> None:
    op.create_table(
        "trades_complete",
        sa.Column("collector", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("collector", name=op.f("pk_trades_complete")),
    )


def create_storage() -> None:
    op.execute(PARTITIONS.format(chunks=CHUNKS if has_timescale() else ""))
    op.create_table(
        "throttle",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("answers", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_throttle")),
    )


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    widen_instruments()
    create_ticks()
    for fact, columns in VERSIONED.items():
        create_fact(fact, *(number(name) for name in columns))
        create_known(fact, columns)
    create_rollup()
    create_complete()
    create_storage()


def forget_options() -> None:
    """What the tables of before have of options, indexes and ticks, which nobody reads rightly from now on."""
    op.execute("delete from gap where dataset in ('quotes', 'trades', 'book')")
    gone = "(select id from instrument where kind in ('option', 'index'))"
    op.execute(f"delete from latest where series_id in (select id from series where instrument_id in {gone})")
    for table in ("series", "instrument_fact", "source_product"):
        op.execute(f"delete from {table} where instrument_id in {gone}")
    op.execute("delete from instrument where kind in ('option', 'index')")


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    forget_options()
    op.drop_table("throttle")
    op.execute("drop function partition_sizes()")
    for fact in VERSIONED:
        op.execute(f"drop function {fact}_known(timestamptz)")
        op.execute(f"delete from revision where fact = '{fact}'")
    op.drop_table("trades_complete")
    for table in ("option_tick_late", "option_tick_1h", *VERSIONED, "depth", "option_trade", "option_tick"):
        op.drop_table(table)
    for name in ("tick_size", "price_index", "option_type", "strike", "expires_at"):
        op.drop_column("instrument", name)
