"""exchanges and sources that are generated, for trying things out: every answer tells of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    for table in ("exchange", "source"):
        op.add_column(table, sa.Column("generated", sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.create_index("ix_exchange_generated", "exchange", ["slug"], postgresql_where=sa.text("generated"))


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.drop_index("ix_exchange_generated", "exchange")
    for table in ("source", "exchange"):
        op.drop_column(table, "generated")
