"""one number of an hour, by the name of its column."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (
    "open", "high", "low", "close", "volume_base", "volume_usd", "buy_volume_base", "sell_volume_base",
    "buy_volume_usd", "sell_volume_usd", "trades", "buy_trades", "sell_trades", "oi_base_high", "oi_base_low",
    "oi_base_close", "oi_usd_high", "oi_usd_low", "oi_usd_close", "funding_rate_8h", "funding_rate_8h_mean",
    "premium", "buy_liquidations", "sell_liquidations", "buy_liquidation_base", "sell_liquidation_base",
    "liquidation_base", "buy_liquidation_usd", "sell_liquidation_usd", "liquidation_usd",
)

VALUE = """
create function perp_1h_value(moment timestamptz, column_name text)
returns table (series_id int, ts timestamptz, value float8)
language sql stable parallel safe as $$
  select k.series_id, k.ts, case column_name {arms} end
  from perp_1h_known(moment) k
$$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(VALUE.format(arms=" ".join(f"when '{name}' then k.{name}" for name in COLUMNS)))


def downgrade() -> None:
    op.execute("drop function perp_1h_value(timestamptz, text)")
