"""What the database's failures mean to the rest of the house. The failure itself stays behind as the cause."""

from datetime import timedelta
from typing import Final, NoReturn

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from certworker.errors import BadParameter, Conflict, Unavailable

_NO_SUCH_TABLE: Final = "42P01"
_READ_ONLY: Final = "25006"
RETRY_AFTER: Final = timedelta(seconds=5)


def fail(error: SQLAlchemyError) -> NoReturn:
    """Raise what a failure means; the failure itself where it is a mistake of ours.

    Raises Conflict (a rule of the schema stands in the way), BadParameter (a value that the database cannot hold) or
    Unavailable (locked for too long, gone, full, damaged).
    """
    match error:
        case IntegrityError():
            raise Conflict("Another record is in the way, or one that this belongs to is gone.") from error
        case DataError():
            raise BadParameter("A value holds characters that cannot be stored.") from error
        case OperationalError() | InterfaceError() | PoolTimeout() | DBAPIError(connection_invalidated=True):
            raise Unavailable("The database does not answer, is busy or is full.", RETRY_AFTER) from error
    if isinstance(error, ProgrammingError) and getattr(error.orig, "sqlstate", "") == _NO_SUCH_TABLE:
        # PostgreSQL's word for what is to SQLite, above, an operation that failed
        raise Unavailable("The database has not been set up, or by another release.", RETRY_AFTER) from error
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", "") == _READ_ONLY:
        # a standby, or a server that was set so since its disk is nearly full; to SQLite it is an operation that failed
        raise Unavailable("The database takes no changes: it is read only.", RETRY_AFTER) from error
    if type(error) is DatabaseError:
        # SQLite's word for a file that is none of its own, or is no longer
        raise Unavailable("The database is damaged, or is no database at all.", RETRY_AFTER) from error
    raise error
