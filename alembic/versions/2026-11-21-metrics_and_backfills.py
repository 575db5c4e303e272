"""metrics of entities, the wide hour, back-fills."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CANDLE = ("open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "trades")
WIDE = (
    "sell_volume_base", "buy_volume_usd", "sell_volume_usd", "buy_trades", "sell_trades",
    "oi_base_high", "oi_base_low", "oi_base_close", "oi_usd_high", "oi_usd_low", "oi_usd_close",
    "funding_rate_8h", "funding_rate_8h_mean", "premium",
    "buy_liquidations", "sell_liquidations",
    "buy_liquidation_base", "sell_liquidation_base", "liquidation_base",
    "buy_liquidation_usd", "sell_liquidation_usd", "liquidation_usd",
)

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

SPEND = """
create function spend(budget_name text, price float8, allowed float8, period interval, aligned boolean)
returns float8 language plpgsql as $$
declare
  now_is timestamptz := clock_timestamp();
  since timestamptz;
  used float8;
  frees timestamptz;
begin
  perform pg_advisory_xact_lock(7022007, hashtext(budget_name));
  now_is := clock_timestamp();
  since := case when aligned then date_bin(period, now_is, 'epoch') else now_is - period end;
  delete from budget_spent where budget = budget_name and at < since - period;
  select coalesce(sum(cost), 0) into used from budget_spent where budget = budget_name and at >= since;
  if used + price <= allowed + 1e-9 or used = 0 then
    insert into budget_spent (budget, at, cost) values (budget_name, now_is, price);
    return 0;
  end if;
  if aligned then
    return extract(epoch from since + period - now_is);
  end if;
  select s.at into frees from (
    select at, sum(cost) over (order by at, id) as freed from budget_spent
    where budget = budget_name and at >= since
  ) s where used - s.freed + price <= allowed + 1e-9 order by s.at limit 1;
  return greatest(extract(epoch from coalesce(frees, now_is) + period - now_is), 0.001);
end $$
"""
"""Takes `price` of a budget if it is there, and returns 0; else the seconds until it may be."""


def known(fact: str, columns: tuple[str, ...]) -> None:
    op.execute(
        KNOWN.format(
            fact=fact,
            typed=", ".join(f"{name} float8" for name in columns),
            plain=", ".join(f"f.{name}" for name in columns),
            said=", ".join(f"(r.said->>'{name}')::float8" for name in columns),
        )
    )


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("drop function perp_1h_known(timestamptz)")
    op.execute("alter table perp_1h " + ", ".join(f"add column {name} float8" for name in WIDE))
    # an hour may be told without its candle; known_at stays last in what the function returns
    op.execute("alter table perp_1h " + ", ".join(f"alter column {name} drop not null" for name in CANDLE[:4]))
    known("perp_1h", CANDLE + WIDE)
    op.create_table('metric',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('canonical', sa.String(), nullable=False),
    sa.Column('unit', sa.String(), nullable=False),
    sa.Column('domain', sa.String(), nullable=False),
    sa.Column('granularity', sa.String(), nullable=False),
    sa.Column('covers', sa.String(), nullable=False),
    sa.Column('signed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('column_name', sa.String(), nullable=True),
    sa.Column('about', sa.String(), server_default='', nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_metric')),
    sa.UniqueConstraint('source', 'name', name=op.f('uq_metric_source_name'))
    )
    op.create_index('ix_metric_canonical', 'metric', [sa.literal_column('lower(canonical)')], unique=False)
    op.create_table('metric_series',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('metric_id', sa.Integer(), nullable=False),
    sa.Column('entity_id', sa.Integer(), nullable=False),
    sa.Column('exchange_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['metric_id'], ['metric.id'], name=op.f('fk_metric_series_metric_id')),
    sa.ForeignKeyConstraint(['entity_id'], ['entity.id'], name=op.f('fk_metric_series_entity_id')),
    sa.ForeignKeyConstraint(['exchange_id'], ['exchange.id'], name=op.f('fk_metric_series_exchange_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_metric_series')),
    sa.UniqueConstraint('metric_id', 'entity_id', 'exchange_id', name=op.f('uq_metric_series_metric_id_entity_id_exchange_id'), postgresql_nulls_not_distinct=True)
    )
    op.create_index('ix_metric_series_entity_id', 'metric_series', ['entity_id'], unique=False)
    op.create_table('metric_value',
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('value', sa.Float(precision=53), nullable=False),
    sa.Column('known_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('series_id', 'ts', name=op.f('pk_metric_value'))
    )
    known("metric_value", ("value",))
    op.create_table('source_asset',
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('id_type', sa.String(), nullable=False),
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('ticker', sa.String(), nullable=True),
    sa.Column('coingecko_id', sa.String(), nullable=True),
    sa.Column('entity_id', sa.Integer(), nullable=True),
    sa.Column('found_by', sa.String(), nullable=True),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('first_seen', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['entity_id'], ['entity.id'], name=op.f('fk_source_asset_entity_id')),
    sa.PrimaryKeyConstraint('source', 'id_type', 'id', name=op.f('pk_source_asset'))
    )
    op.create_index('ix_source_asset_entity_id', 'source_asset', ['entity_id'], unique=False)
    op.create_table('source_product',
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('instrument_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('coin', sa.String(), nullable=False),
    sa.Column('begins', sa.DateTime(timezone=True), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['instrument_id'], ['instrument.id'], name=op.f('fk_source_product_instrument_id')),
    sa.PrimaryKeyConstraint('source', 'instrument_id', name=op.f('pk_source_product'))
    )
    op.create_index('ix_source_product_instrument_id', 'source_product', ['instrument_id'], unique=False)
    op.create_table('backfill',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('asked', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('idempotency_key', sa.String(), nullable=True),
    sa.Column('asked_by', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_backfill')),
    sa.UniqueConstraint('idempotency_key', name=op.f('uq_backfill_idempotency_key'))
    )
    op.create_table('backfill_chunk',
    sa.Column('backfill_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('piece', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.String(), server_default='queued', nullable=False),
    sa.Column('worker', sa.Integer(), nullable=True),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    *(sa.Column(name, sa.Integer(), server_default='0', nullable=False) for name in ('requests', 'received', 'inserted', 'updated', 'rejected')),
    sa.Column('error', sa.String(), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['backfill_id'], ['backfill.id'], name=op.f('fk_backfill_chunk_backfill_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('backfill_id', 'number', name=op.f('pk_backfill_chunk'))
    )
    op.create_index('ix_backfill_chunk_unfinished', 'backfill_chunk', ['backfill_id', 'number'], unique=False, postgresql_where=sa.text("state in ('queued', 'running')"))
    op.create_table('budget_spent',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('budget', sa.String(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('cost', sa.Float(precision=53), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_budget_spent')),
    prefixes=['UNLOGGED']
    )
    op.create_index('ix_budget_spent_budget_at', 'budget_spent', ['budget', 'at'], unique=False)
    op.execute(SPEND)


def downgrade() -> None:
    op.execute("drop function spend(text, float8, float8, interval, boolean)")
    for name in ("budget_spent", "backfill_chunk", "backfill", "source_product", "source_asset"):
        op.drop_table(name)
    op.execute("drop function metric_value_known(timestamptz)")
    for name in ("metric_value", "metric_series", "metric"):
        op.drop_table(name)
    op.execute("drop function perp_1h_known(timestamptz)")
    op.execute("delete from perp_1h where open is null or high is null or low is null or close is null")
    op.execute("alter table perp_1h " + ", ".join(f"alter column {name} set not null" for name in CANDLE[:4]))
    op.execute("alter table perp_1h " + ", ".join(f"drop column {name}" for name in WIDE))
    known("perp_1h", CANDLE)
