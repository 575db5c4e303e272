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
        sa.UniqueConstraint("series_id", "dataset", "first", name=op.f("uq_gap_series_id_dataset_first")),
    )
    unsettled = sa.text("state in ('open', 'repairing')")
    op.create_index("ix_gap_unsettled", "gap", ["next_try_at"], postgresql_where=unsettled)
    op.create_index("ix_gap_first", "gap", ["first"])


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


def downgrade() -> None:
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
