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

# Noted when it was seen, which was after Bybit changed; it is noted anew, with the date, when contracts are listed next.
UNDATED_SIDES = "delete from instrument_fact where fact = 'oi_sides' and source = 'bybit'"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(UNDATED_SIDES)
    op.execute(CONTRACT_ORDER)
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
    op.execute("drop function contract_order(text)")
