"""imports can be taken back."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FACTS = ("funding", "predicted_funding", "open_interest", "perp_1m", "perp_1h", "metric_value")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    for fact in FACTS:
        op.execute(f"alter table {fact} add column batch_id int")
    op.execute("alter table revision add column batch_id int, add column kept text[]")
    op.execute("alter table revision add column repeats boolean not null default false")
    op.create_index('ix_revision_batch_id', 'revision', ['batch_id', 'fact'], unique=False, postgresql_where=sa.text('batch_id is not null'))
    op.create_index('ix_revision_kept', 'revision', ['fact', 'series_id', 'ts'], unique=False, postgresql_where=sa.text('batch_id is not null and kept is not null'))
    op.create_table('import_batch',
    sa.Column('id', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('who', sa.String(), nullable=False),
    sa.Column('via', sa.String(), nullable=False),
    sa.Column('file', sa.String(), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('taken_back_at', sa.DateTime(timezone=True), nullable=True),
    *(sa.Column(name, sa.Integer(), server_default='0', nullable=False) for name in ('received', 'inserted', 'updated', 'rejected')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_import_batch'))
    )
    op.create_index('ix_import_batch_state', 'import_batch', ['state'], unique=False)
    op.create_table('import_span',
    sa.Column('batch_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('fact', sa.String(), nullable=False),
    sa.Column('series_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('first', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['import_batch.id'], name=op.f('fk_import_span_batch_id')),
    sa.PrimaryKeyConstraint('batch_id', 'fact', 'series_id', name=op.f('pk_import_span'))
    )
    op.create_index('ix_import_span_series_id', 'import_span', ['series_id'], unique=False)
    op.create_table('import_made',
    sa.Column('batch_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('made_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['import_batch.id'], name=op.f('fk_import_made_batch_id')),
    sa.PrimaryKeyConstraint('batch_id', 'kind', 'made_id', name=op.f('pk_import_made'))
    )


def downgrade() -> None:
    for name in ("import_made", "import_span", "import_batch"):
        op.drop_table(name)
    op.drop_index('ix_revision_kept', table_name='revision')
    op.drop_index('ix_revision_batch_id', table_name='revision')
    op.execute("delete from revision where repeats")
    op.execute("alter table revision drop column batch_id, drop column kept, drop column repeats")
    for fact in FACTS:
        op.execute(f"alter table {fact} drop column batch_id")
