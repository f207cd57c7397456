"""Hot lookups: what was found is remembered for as long as the database is the same.

Both databases can say whether they are. SQLite has a number that moves on when another connection has committed
(PRAGMA data_version, asked on a connection that never writes); PostgreSQL has the snapshot that a reader would get now. Asking
costs microseconds, or one round trip, instead of a transaction for each lookup. So nothing that is remembered is ever older
than the request that asks for it, whichever process has changed it.

What changes seldom (vaults, their keys, people, what they may do, the keys that sign tokens) has a count of its own in the
table `registry`, so that it is remembered while objects are written. So are decisions that rest on nothing else.
"""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from certworker.errors import Unavailable
from certworker.store.failures import fail
from certworker.vault.identities.records import Identity
from certworker.vault.objects import KeyVersion, ObjectHead, ObjectKind, SecretVersion, fold_name
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import RoleAssignment, RoleDefinition
from certworker.vault.store import HotReader, Reader
from certworker.vault.vaults import Principal, SigningKey, Vault, WrappedKey

P = ParamSpec("P")
T = TypeVar("T")
Answers = dict[tuple[object, ...], Any]
Generation = Callable[[], tuple[object, object]]
"""Tells of the whole database, and of the registry, whether they are the same."""
Reading = Callable[[], AbstractContextManager[Reader]]

MOST_REMEMBERED: Final = 1024
"""So many answers are remembered; the largest are secrets of 25 KB."""

_REGISTRY: Final = "SELECT generation FROM registry"
_SNAPSHOT: Final = text(f"SELECT CAST(pg_current_snapshot() AS TEXT), ({_REGISTRY})")


class Glances:
    """Begins glances, and remembers what they found."""

    def __init__(self, generation: Generation, reading: Reading) -> None:
        self._generation = generation
        self._reading = reading
        self._seen: tuple[object, object, Answers, Answers] = (None, None, {}, {})

    def begin(self) -> "Glance":
        """Look whether the database is the same; what was remembered of another one is forgotten."""
        whole, registry = self._generation()
        whole_before, registry_before, objects, registered = self._seen
        if whole != whole_before:
            # new mappings: a glance that is under way goes on with its own, and spoils nothing
            objects, registered = {}, registered if registry == registry_before else {}
            self._seen = (whole, registry, objects, registered)
        return Glance(objects, registered, self._reading)


class Glance(HotReader):
    """Looks one thing up after the other: in what is remembered, else in a view that is opened when it is needed first."""

    __slots__ = ("_objects", "_reader", "_reading", "_registered", "_view")

    def __init__(self, objects: Answers, registered: Answers, reading: Reading) -> None:
        self._objects = objects
        self._registered = registered
        self._reading = reading
        self._view: AbstractContextManager[Reader] | None = None
        self._reader: Reader | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the view, if one was opened. It can be begun again: what it then finds is as old as it is itself, or newer."""
        view, self._view, self._reader = self._view, None, None
        if view:
            view.__exit__(kind, error, trace)

    def vault_by_name(self, name: str) -> Vault | None:
        """Find a vault by its name."""
        return self._find(self._registered, ("vault", fold_name(name)), lambda reader: reader.vault_by_name(name))

    def wrapped_keys(self, vault_id: str) -> tuple[WrappedKey, ...]:
        """List a vault's wrapped keys, the newest term last."""
        return self._find(self._registered, ("wrapped", vault_id), lambda reader: reader.wrapped_keys(vault_id))

    def principal(self, object_id: str) -> Principal | None:
        """Find a principal by its object id."""
        return self._find(self._registered, ("principal", object_id), lambda reader: reader.principal(object_id))

    def signing_keys(self, tenant_id: str) -> tuple[SigningKey, ...]:
        """List a tenant's signing keys, the newest last."""
        return self._find(self._registered, ("signing", tenant_id), lambda reader: reader.signing_keys(tenant_id))

    def identity(self, object_id: str) -> Identity | None:
        """Find a user, a group or a service principal by its object id."""
        return self._find(self._registered, ("identity", object_id), lambda reader: reader.identity(object_id))

    def client_identity(self, client_id: str) -> Identity | None:
        """Find a service principal by its application's client id."""
        return self._find(self._registered, ("client", client_id), lambda reader: reader.client_identity(client_id))

    def groups_of(self, object_id: str) -> frozenset[str]:
        """List all groups that a principal is in, by itself or by other groups."""
        return self._find(self._registered, ("groups", object_id), lambda reader: reader.groups_of(object_id))

    def access_policies(self, vault_id: str) -> tuple[AccessPolicy, ...]:
        """List a vault's access policies, in the order in which they were set."""
        return self._find(self._registered, ("policies", vault_id), lambda reader: reader.access_policies(vault_id))

    def role_assignments(self, tenant_id: str, principals: frozenset[str]) -> tuple[RoleAssignment, ...]:
        """List what is assigned to any of some principals, wherever it holds."""
        return self._find(
            self._registered,
            ("assignments", tenant_id, principals),
            lambda reader: reader.role_assignments(tenant_id, principals),
        )

    def role_definition(self, tenant_id: str, role_id: str) -> RoleDefinition | None:
        """Find a custom role."""
        return self._find(
            self._registered, ("role", tenant_id, role_id), lambda reader: reader.role_definition(tenant_id, role_id)
        )

    def remember(self, name: tuple[object, ...], decide: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Give what `decide` gives, and keep it by `name` until the registry changes."""
        try:
            decided: T = self._registered[name]
        except KeyError:
            decided = decide(*args, **kwargs)
            _keep(self._registered, name, decided)
        return decided

    def head(self, vault_id: str, kind: ObjectKind, name: str) -> ObjectHead | None:
        """Find what all versions of an object share, whether it is deleted or not."""
        return self._find(
            self._objects, ("head", vault_id, kind, fold_name(name)), lambda reader: reader.head(vault_id, kind, name)
        )

    def key(self, vault_id: str, name: str, version: str | None) -> KeyVersion | None:
        """Find a key's version; the current one where `version` is none. Deleted ones as well."""
        return self._find(
            self._objects, ("key", vault_id, fold_name(name), version), lambda reader: reader.key(vault_id, name, version)
        )

    def secret(self, vault_id: str, name: str, version: str | None) -> SecretVersion | None:
        """Find a secret's version likewise."""
        return self._find(
            self._objects, ("secret", vault_id, fold_name(name), version), lambda reader: reader.secret(vault_id, name, version)
        )

    def _find(self, answers: Answers, name: tuple[object, ...], ask: Callable[[Reader], T]) -> T:
        try:
            found: T = answers[name]
        except KeyError:
            found = ask(self._open())
            _keep(answers, name, found)
        return found

    def _open(self) -> Reader:
        if self._reader is None:
            self._view = self._reading()
            self._reader = self._view.__enter__()
        return self._reader


def _keep(answers: Answers, name: tuple[object, ...], found: object) -> None:
    if len(answers) >= MOST_REMEMBERED:
        answers.clear()  # rare, and cheaper than to keep book of what was used last
    answers[name] = found


class SqliteGeneration:
    """Asks SQLite whether anybody has committed since; on a connection of its own, since its own commits do not count."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._seen: tuple[int, int] = (-1, -1)

    def __call__(self) -> tuple[int, int]:
        """Give the number, and the registry's. Raises Unavailable where the database does not answer."""
        with self._lock:
            try:
                self._look()
            except sqlite3.Error:
                raise Unavailable("The database does not answer. Try again later.") from None
            return self._seen

    def _look(self) -> None:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        whole = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if whole != self._seen[0]:
            # the number first: were it asked last, it could already tell of a change that the registry's does not
            self._seen = (whole, self._connection.execute(_REGISTRY).fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None


class PostgresqlGeneration:
    """Asks PostgreSQL for the snapshot of now: two that read the same show the same data."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    def __call__(self) -> tuple[str, int]:
        """Give the snapshot, and the registry's number. Raises Unavailable where the database does not answer."""
        try:
            with self._engine.connect() as connection:
                snapshot, registry = connection.execute(_SNAPSHOT).one()
                return snapshot, registry
        except SQLAlchemyError as error:
            fail(error)

    def close(self) -> None:
        """Leave the engine to its owner."""
