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

# A source whose samples are of exchanges that nobody else vouches for is heard when it is asked for by name.
ON_REQUEST = """
create function on_request(source text)
returns boolean
language sql immutable strict parallel safe as $$ select source = 'coingecko' $$
"""
ONLY_ON_REQUEST = """
create function only_on_request(contract int)
returns boolean
language sql stable strict parallel safe as $$
  select exists (select from source_product p where p.instrument_id = contract and on_request(p.source))
    and exists (select from instrument i where i.id = contract and i.margin is null)
    and not exists (
      select from series s join source o on o.id = s.source_id where s.instrument_id = contract and not on_request(o.slug)
    )
$$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(CONTRACT_ORDER)
    op.create_table(
        "source_exchange",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("exchange_id", sa.Integer(), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_source_exchange_exchange_id")),
        sa.PrimaryKeyConstraint("source", "id", name=op.f("pk_source_exchange")),
    )
    op.execute(ON_REQUEST)
    op.execute(ONLY_ON_REQUEST)
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
    op.execute("drop function only_on_request(int)")
    op.execute("drop function on_request(text)")
    op.drop_table("source_exchange")
    op.execute("drop function contract_order(text)")
