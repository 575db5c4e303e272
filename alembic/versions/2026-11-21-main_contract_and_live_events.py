"""which contract of an exchange is meant by its name alone, and what just became known."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# By the symbol alone, so that files without a database say the same: USDT before USDC before all others, the shortest
# first. A sort key: the contract with the least is meant where only an exchange and an asset are named.
CONTRACT_ORDER = """
create function contract_order(symbol text)
returns text
language sql immutable strict parallel safe as $$
  select case when upper(symbol) like '%USDT%' then '0' when upper(symbol) like '%USDC%' then '1' else '2' end
    || lpad(length(symbol)::text, 4, '0') || (symbol collate "C")
$$
"""

# The last settlement at or before an instant, as it was known at a moment (null: as it is now). `funding_known` gives
# the same rows, but no plan of it reads an index backwards: one settlement would cost a whole history.
FUNDING_LAST = """
create function funding_last(series integer, instant timestamptz, moment timestamptz)
returns table (ts timestamptz, rate float8, interval_hours float8, interval_known smallint)
language sql stable parallel safe as $$
  select * from (
    (select f.ts, f.rate, f.interval_hours, f.interval_known from funding f
     where f.series_id = series and f.ts <= instant and (moment is null or f.known_at <= moment)
     order by f.ts desc limit 1)
    union all
    (select r.ts, (r.said->>'rate')::float8, (r.said->>'interval_hours')::float8, (r.said->>'interval_known')::smallint
     from revision r
     where moment is not null and r.fact = 'funding' and r.series_id = series and r.ts <= instant
       and r.known_at <= moment and r.replaced_at > moment
     order by r.ts desc limit 1)
  ) last order by last.ts desc limit 1
$$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(CONTRACT_ORDER)
    op.execute(FUNDING_LAST)
    op.add_column("coin_1h_ready", sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "live_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("fact", sa.String(), nullable=False),
        sa.Column("rows", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_event")),
    )
    op.create_index("ix_live_event_at", "live_event", ["at"])


def downgrade() -> None:
    op.drop_table("live_event")
    op.drop_column("coin_1h_ready", "computed_at")
    op.execute("drop function funding_last(integer, timestamptz, timestamptz)")
    op.execute("drop function contract_order(text)")
