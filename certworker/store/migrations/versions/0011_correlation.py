"""Which request, or which renewal, a certificate operation belongs to.

Only adds: a release that knows the schema before goes on beside this one, and its operations have none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column("operation", sa.Column("correlation_id", sa.String(), nullable=True))
