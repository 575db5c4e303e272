"""first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


CHUNKS = {"perp_1m": "1 day", "perp_1h": "1 month", "open_interest": "1 month", "predicted_funding": "1 month"}

ISO = """
create function iso(moment timestamptz) returns text language sql stable parallel safe as $$
  select replace(to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z')
$$
"""

ASSET = """
create view asset as
select e.id as entity_id, e.canonical_id,
  case when exists (select from entity o where lower(o.symbol) = lower(e.symbol) and o.id <> e.id)
    then e.canonical_id else e.symbol end as asset
from entity e
"""

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

CANDLE = {
    name: "float8"
    for name in ("open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "trades")
}
FACTS = {
    "funding": {"rate": "float8", "interval_hours": "float8", "interval_known": "smallint"},
    "predicted_funding": {"rate": "float8", "interval_hours": "float8", "for_time": "timestamptz"},
    "open_interest": {"oi_base": "float8", "oi_usd": "float8"},
    "perp_1m": CANDLE,
    "perp_1h": CANDLE,
}


def has_timescale() -> bool:
    found = op.get_bind().execute(sa.text("select 1 from pg_extension where extname = 'timescaledb'"))
    return found.scalar() is not None


def create_functions() -> None:
    op.execute(ISO)
    op.execute(ASSET)
    for fact, columns in FACTS.items():
        typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        plain = ", ".join(f"f.{name}" for name in columns)
        said = ", ".join(f"(r.said->>'{name}')::{kind}" for name, kind in columns.items())
        op.execute(KNOWN.format(fact=fact, typed=typed, plain=plain, said=said))


def create_hypertables() -> None:
    for table, chunk in CHUNKS.items():
        op.execute(
            f"select create_hypertable('{table}', by_range('ts', interval '{chunk}'), create_default_indexes => false)"
        )


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    timescale = has_timescale()
    by_time = {} if timescale else {"postgresql_partition_by": "RANGE (ts)"}
    op.create_table('api_key',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.Column('scopes', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_key')),
    sa.UniqueConstraint('hash', name=op.f('uq_api_key_hash'))
    )
    op.create_table('entity',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('canonical_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('symbol', sa.String(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('sector', sa.String(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entity')),
    sa.UniqueConstraint('canonical_id', name=op.f('uq_entity_canonical_id'))
    )
    op.create_index('ix_entity_symbol', 'entity', [sa.literal_column('lower(symbol)')], unique=False)
    op.create_table('exchange',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('slug', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('funding_interval_hours', sa.Float(precision=53), server_default='8', nullable=False),
    sa.Column('docs_url', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_exchange')),
    sa.UniqueConstraint('slug', name=op.f('uq_exchange_slug'))
    )
    op.create_table('funding',
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rate', sa.Float(precision=53), nullable=False),
    sa.Column('interval_hours', sa.Float(precision=53), nullable=False),
    sa.Column('interval_known', sa.SmallInteger(), nullable=False),
    sa.Column('known_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('series_id', 'ts', name=op.f('pk_funding'))
    )
    op.create_table('job',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('paused', sa.Boolean(), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job'))
    )
    op.create_table('open_interest',
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('oi_base', sa.Float(precision=53), nullable=True),
    sa.Column('oi_usd', sa.Float(precision=53), nullable=True),
    sa.Column('known_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('series_id', 'ts', name=op.f('pk_open_interest')),
    **by_time
    )
    op.create_table('perp_1h',
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('open', sa.Float(precision=53), nullable=False),
    sa.Column('high', sa.Float(precision=53), nullable=False),
    sa.Column('low', sa.Float(precision=53), nullable=False),
    sa.Column('close', sa.Float(precision=53), nullable=False),
    sa.Column('volume_base', sa.Float(precision=53), nullable=True),
    sa.Column('volume_usd', sa.Float(precision=53), nullable=True),
    sa.Column('buy_volume_base', sa.Float(precision=53), nullable=True),
    sa.Column('trades', sa.Float(precision=53), nullable=True),
    sa.Column('known_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('series_id', 'ts', name=op.f('pk_perp_1h')),
    **by_time
    )
    op.create_table('perp_1m',
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('open', sa.Float(precision=53), nullable=False),
    sa.Column('high', sa.Float(precision=53), nullable=False),
    sa.Column('low', sa.Float(precision=53), nullable=False),
    sa.Column('close', sa.Float(precision=53), nullable=False),
    sa.Column('volume_base', sa.Float(precision=53), nullable=True),
    sa.Column('volume_usd', sa.Float(precision=53), nullable=True),
    sa.Column('buy_volume_base', sa.Float(precision=53), nullable=True),
    sa.Column('trades', sa.Float(precision=53), nullable=True),
    sa.Column('known_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('series_id', 'ts', name=op.f('pk_perp_1m')),
    **by_time
    )
    op.create_table('predicted_funding',
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rate', sa.Float(precision=53), nullable=False),
    sa.Column('interval_hours', sa.Float(precision=53), nullable=True),
    sa.Column('for_time', sa.DateTime(timezone=True), nullable=True),
    sa.Column('known_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('series_id', 'ts', name=op.f('pk_predicted_funding')),
    **by_time
    )
    op.create_table('pull',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('requests', sa.Integer(), server_default='0', nullable=False),
    sa.Column('received', sa.Integer(), server_default='0', nullable=False),
    sa.Column('inserted', sa.Integer(), server_default='0', nullable=False),
    sa.Column('updated', sa.Integer(), server_default='0', nullable=False),
    sa.Column('rejected', sa.Integer(), server_default='0', nullable=False),
    sa.Column('error', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pull'))
    )
    op.create_index('ix_pull_started_at', 'pull', ['started_at'], unique=False)
    op.create_index('ix_pull_source_dataset_finished_at', 'pull', ['source', 'dataset', 'finished_at'], unique=False)
    op.create_table('raw_body',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('request', sa.String(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_raw_body'))
    )
    op.create_index('ix_raw_body_received_at', 'raw_body', ['received_at'], unique=False)
    op.create_table('reject',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('symbol', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('first_seen', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('last_seen', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reject')),
    sa.UniqueConstraint('source', 'dataset', 'code', 'symbol', name=op.f('uq_reject_source_dataset_code_symbol'))
    )
    op.create_index('ix_reject_last_seen', 'reject', ['last_seen'], unique=False)
    op.create_table('revision',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('fact', sa.String(), nullable=False),
    sa.Column('series_id', sa.Integer(), nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('known_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('replaced_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('said', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_revision'))
    )
    op.create_index('ix_revision_fact', 'revision', ['fact', 'series_id', 'ts'], unique=False)
    op.create_table('source',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('slug', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_source')),
    sa.UniqueConstraint('slug', name=op.f('uq_source_slug'))
    )
    op.create_table('coin_1h',
    sa.Column('entity_id', sa.Integer(), nullable=False),
    sa.Column('ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rate', sa.Float(precision=53), nullable=True),
    sa.Column('mean', sa.Float(precision=53), nullable=True),
    sa.Column('median', sa.Float(precision=53), nullable=True),
    sa.Column('min', sa.Float(precision=53), nullable=True),
    sa.Column('max', sa.Float(precision=53), nullable=True),
    sa.Column('instruments', sa.Integer(), nullable=False),
    sa.Column('oi_usd', sa.Float(precision=53), nullable=True),
    sa.Column('coverage', sa.Float(precision=53), nullable=True),
    sa.Column('present', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('stale', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('missing', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['entity_id'], ['entity.id'], name=op.f('fk_coin_1h_entity_id')),
    sa.PrimaryKeyConstraint('entity_id', 'ts', name=op.f('pk_coin_1h'))
    )
    op.create_table('coin_1h_ready',
    sa.Column('entity_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('first_ts', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ready_to', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['entity_id'], ['entity.id'], name=op.f('fk_coin_1h_ready_entity_id')),
    sa.PrimaryKeyConstraint('entity_id', name=op.f('pk_coin_1h_ready'))
    )
    op.create_table('entity_source_id',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('entity_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('source_id', sa.String(), nullable=False),
    sa.Column('source_id_type', sa.String(), nullable=False),
    sa.Column('multiplier', sa.Float(precision=53), server_default='1', nullable=False),
    sa.ForeignKeyConstraint(['entity_id'], ['entity.id'], name=op.f('fk_entity_source_id_entity_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entity_source_id')),
    sa.UniqueConstraint('source', 'source_id_type', 'source_id', name=op.f('uq_entity_source_id_source_source_id_type_source_id'))
    )
    op.create_index(op.f('ix_entity_source_id_entity_id'), 'entity_source_id', ['entity_id'], unique=False)
    op.create_index('ix_entity_source_id_lower', 'entity_source_id', [sa.literal_column('lower(source_id)')], unique=False)
    op.create_table('instrument',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('exchange_id', sa.Integer(), nullable=False),
    sa.Column('symbol', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('entity_id', sa.Integer(), nullable=True),
    sa.Column('base', sa.String(), nullable=True),
    sa.Column('quote', sa.String(), nullable=True),
    sa.Column('margin', sa.String(), nullable=True),
    sa.Column('contract_size', sa.Float(precision=53), nullable=True),
    sa.Column('multiplier', sa.Float(precision=53), server_default='1', nullable=False),
    sa.Column('funding_interval_hours', sa.Float(precision=53), nullable=True),
    sa.Column('oi_sides', sa.SmallInteger(), nullable=True),
    sa.Column('active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('listed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('delisted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('seen_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['entity_id'], ['entity.id'], name=op.f('fk_instrument_entity_id')),
    sa.ForeignKeyConstraint(['exchange_id'], ['exchange.id'], name=op.f('fk_instrument_exchange_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_instrument')),
    sa.UniqueConstraint('exchange_id', 'kind', 'symbol', name=op.f('uq_instrument_exchange_id_kind_symbol'))
    )
    op.create_index(op.f('ix_instrument_entity_id'), 'instrument', ['entity_id'], unique=False)
    op.create_table('instrument_fact',
    sa.Column('instrument_id', sa.Integer(), nullable=False),
    sa.Column('fact', sa.String(), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('value', sa.String(), nullable=True),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('known_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['instrument_id'], ['instrument.id'], name=op.f('fk_instrument_fact_instrument_id')),
    sa.PrimaryKeyConstraint('instrument_id', 'fact', 'valid_from', name=op.f('pk_instrument_fact'))
    )
    op.create_table('series',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('instrument_id', sa.Integer(), nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('preference', sa.SmallInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['instrument_id'], ['instrument.id'], name=op.f('fk_series_instrument_id')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_series_source_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_series')),
    sa.UniqueConstraint('instrument_id', 'source_id', name=op.f('uq_series_instrument_id_source_id'))
    )
    op.create_table('latest',
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('funding_ts', sa.DateTime(timezone=True), nullable=True),
    sa.Column('rate', sa.Float(precision=53), nullable=True),
    sa.Column('interval_hours', sa.Float(precision=53), nullable=True),
    sa.Column('interval_known', sa.SmallInteger(), nullable=True),
    sa.Column('predicted_ts', sa.DateTime(timezone=True), nullable=True),
    sa.Column('predicted_rate', sa.Float(precision=53), nullable=True),
    sa.Column('predicted_interval_hours', sa.Float(precision=53), nullable=True),
    sa.Column('predicted_for', sa.DateTime(timezone=True), nullable=True),
    sa.Column('oi_ts', sa.DateTime(timezone=True), nullable=True),
    sa.Column('oi_base', sa.Float(precision=53), nullable=True),
    sa.Column('oi_usd', sa.Float(precision=53), nullable=True),
    sa.Column('minute_ts', sa.DateTime(timezone=True), nullable=True),
    sa.Column('minute_close', sa.Float(precision=53), nullable=True),
    sa.Column('hour_ts', sa.DateTime(timezone=True), nullable=True),
    sa.Column('hour_close', sa.Float(precision=53), nullable=True),
    sa.ForeignKeyConstraint(['series_id'], ['series.id'], name=op.f('fk_latest_series_id')),
    sa.PrimaryKeyConstraint('series_id', name=op.f('pk_latest')),
    postgresql_with={'fillfactor': 50}
    )
    if timescale:
        create_hypertables()
    create_functions()


def downgrade() -> None:
    for fact in FACTS:
        op.execute(f"drop function {fact}_known(timestamptz)")
    op.execute("drop view asset")
    op.execute("drop function iso(timestamptz)")
    op.drop_table('latest')
    op.drop_table('series')
    op.drop_table('instrument_fact')
    op.drop_index(op.f('ix_instrument_entity_id'), table_name='instrument')
    op.drop_table('instrument')
    op.drop_index('ix_entity_source_id_lower', table_name='entity_source_id')
    op.drop_index(op.f('ix_entity_source_id_entity_id'), table_name='entity_source_id')
    op.drop_table('entity_source_id')
    op.drop_table('coin_1h_ready')
    op.drop_table('coin_1h')
    op.drop_table('source')
    op.drop_index('ix_revision_fact', table_name='revision')
    op.drop_table('revision')
    op.drop_index('ix_reject_last_seen', table_name='reject')
    op.drop_table('reject')
    op.drop_index('ix_raw_body_received_at', table_name='raw_body')
    op.drop_table('raw_body')
    op.drop_index('ix_pull_source_dataset_finished_at', table_name='pull')
    op.drop_index('ix_pull_started_at', table_name='pull')
    op.drop_table('pull')
    op.drop_table('predicted_funding')
    op.drop_table('perp_1m')
    op.drop_table('perp_1h')
    op.drop_table('open_interest')
    op.drop_table('job')
    op.drop_table('funding')
    op.drop_table('exchange')
    op.drop_index('ix_entity_symbol', table_name='entity')
    op.drop_table('entity')
    op.drop_table('api_key')
