"""How often in a row, and since when, a CA could not be reached: by that a small fleet's CA counts as down.

Only adds: a release that knows the schema before goes on beside this one, and leaves both empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("gate", sa.Column("unreached", sa.Integer(), nullable=True))
    op.add_column("gate", sa.Column("unreached_since", sa.BigInteger(), nullable=True))
