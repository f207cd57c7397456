"""The book: what the authority remembers, in one SQLite file, or in memory without a state directory.

The objects of `ca_sim.acme.objects` are kept as JSON next to the few columns that they are looked up by. The write-ahead log
with synchronous=NORMAL keeps every committed transaction through a kill -9; only a power cut may lose the last ones,
which is good enough for a simulated authority.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter

from ca_sim.acme.jose import thumbprint
from ca_sim.acme.objects import Account, Authorization, Order, Status
from ca_sim.certificates import Certificate
from ca_sim.files import StateError

_FIRST = """
CREATE TABLE accounts (id TEXT PRIMARY KEY, thumbprint TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE orders (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, status TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX orders_of_account ON orders (account_id, number);
CREATE INDEX orders_by_status ON orders (status);
CREATE TABLE authorizations (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL, identifier TEXT NOT NULL, status TEXT NOT NULL,
    answered INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX authorizations_of_account ON authorizations (account_id, identifier, status);
CREATE INDEX authorizations_answered ON authorizations (answered) WHERE answered;
CREATE TABLE certificates (
    number INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE, revoked INTEGER NOT NULL, body TEXT NOT NULL);
"""
_SECOND = """
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, room TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (room, id));
CREATE INDEX documents_by_key ON documents (room, key, number);
CREATE INDEX certificates_revoked ON certificates (number) WHERE revoked;
UPDATE orders SET body = json_set(body, '$.ready_at', json_extract(body, '$.created_at')) WHERE status = 'processing';
"""
# The first release took orders in work up at its start; now they say when they are ready, and one that does not is stuck.
_SCHEMAS = (_FIRST, _SECOND)
"""What brings a book from each version to the next."""
SCHEMA_VERSION = len(_SCHEMAS)

_account = TypeAdapter(Account)
_order = TypeAdapter(Order)
_authorization = TypeAdapter(Authorization)
_certificate = TypeAdapter(Certificate)


class Book:
    """The memory of one authority; used by one thread at a time. Changes are made inside `transaction()`.

    Raises StateError when the file is of a newer release or not a book at all.
    """

    def __init__(self, path: Path | None) -> None:
        # The thread that serves may not be the one that closes the book after it.
        self._sql = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = NORMAL")
            self._prepare(path)
        except sqlite3.DatabaseError as error:
            self._sql.close()
            raise StateError(f"{path} is not a book of ca-sim: {error}") from error
        except StateError:
            self._sql.close()
            raise

    def _prepare(self, path: Path | None) -> None:
        (version,) = self._sql.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StateError(f"{path} was written by a newer ca-sim (schema {version}, this one knows {SCHEMA_VERSION})")
        for following, schema in enumerate(_SCHEMAS[version:], version + 1):
            self._sql.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {following}; COMMIT;")

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is written inside durable together, or not at all when an error passes through."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:  # a full disk may have ended it
                self._sql.execute("ROLLBACK")
            raise

    def put_account(self, account: Account) -> None:
        """Write a new account or a changed one."""
        self._sql.execute(
            "INSERT INTO accounts (id, thumbprint, body) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET thumbprint = excluded.thumbprint, body = excluded.body",
            (account.id, thumbprint(account.jwk), _account.dump_json(account)),
        )

    def account(self, account_id: str) -> Account | None:
        """Find an account by its id."""
        body = self._one("SELECT body FROM accounts WHERE id = ?", account_id)
        return None if body is None else _account.validate_json(body)

    def account_of_key(self, jwk: dict[str, str]) -> Account | None:
        """Find the account that a public key belongs to."""
        body = self._one("SELECT body FROM accounts WHERE thumbprint = ?", thumbprint(jwk))
        return None if body is None else _account.validate_json(body)

    def put_order(self, order: Order) -> None:
        """Write a new order or a changed one."""
        self._sql.execute(
            "INSERT INTO orders (id, account_id, status, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body",
            (order.id, order.account_id, order.status, _order.dump_json(order)),
        )

    def order(self, order_id: str) -> Order | None:
        """Find an order by its id."""
        body = self._one("SELECT body FROM orders WHERE id = ?", order_id)
        return None if body is None else _order.validate_json(body)

    def orders(self, *, after: int, limit: int, account_id: str | None = None) -> list[tuple[int, Order]]:
        """List orders with their numbers, oldest first, from the number after `after`."""
        rows = self._sql.execute(
            "SELECT number, body FROM orders WHERE number > ?1 AND (?3 IS NULL OR account_id = ?3) ORDER BY number LIMIT ?2",
            (after, limit, account_id),
        )
        return [(number, _order.validate_json(body)) for number, body in rows]

    def put_authorization(self, authorization: Authorization) -> None:
        """Write a new authorization or a changed one, with its challenges."""
        answered = any(challenge.status is Status.PROCESSING for challenge in authorization.challenges)
        self._sql.execute(
            "INSERT INTO authorizations (id, account_id, identifier, status, answered, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET status = excluded.status, answered = excluded.answered,"
            " body = excluded.body",
            (
                authorization.id,
                authorization.account_id,
                authorization.identifier.value,
                authorization.status,
                answered,
                _authorization.dump_json(authorization),
            ),
        )

    def authorization(self, authorization_id: str) -> Authorization | None:
        """Find an authorization by its id."""
        body = self._one("SELECT body FROM authorizations WHERE id = ?", authorization_id)
        return None if body is None else _authorization.validate_json(body)

    def valid_authorizations(self, account_id: str, value: str) -> list[Authorization]:
        """List the authorizations that an account holds for the value of an identifier; they may have expired."""
        rows = self._sql.execute(
            "SELECT body FROM authorizations WHERE account_id = ? AND identifier = ? AND status = ?",
            (account_id, value, Status.VALID),
        )
        return [_authorization.validate_json(body) for (body,) in rows]

    def authorizations_in_work(self) -> list[Authorization]:
        """List the authorizations with a challenge that was being validated when the process ended."""
        rows = self._sql.execute("SELECT body FROM authorizations WHERE answered")
        return [_authorization.validate_json(body) for (body,) in rows]

    def put_certificate(self, certificate: Certificate) -> None:
        """Write a new certificate or a revoked one."""
        self._sql.execute(
            "INSERT INTO certificates (serial, revoked, body) VALUES (?, ?, ?)"
            " ON CONFLICT (serial) DO UPDATE SET revoked = excluded.revoked, body = excluded.body",
            (certificate.serial, certificate.revoked_at is not None, _certificate.dump_json(certificate)),
        )

    def keep_certificate(self, certificate: Certificate) -> None:
        """Write a certificate in a transaction of its own."""
        with self.transaction():
            self.put_certificate(certificate)

    def certificate(self, serial: str) -> Certificate | None:
        """Find a certificate by its serial number in lower-case hexadecimal."""
        body = self._one("SELECT body FROM certificates WHERE serial = ?", serial)
        return None if body is None else _certificate.validate_json(body)

    def certificates(self, *, after: int, limit: int) -> list[tuple[int, Certificate]]:
        """List certificates with their numbers, oldest first, from the number after `after`."""
        rows = self._sql.execute(
            "SELECT number, body FROM certificates WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
        )
        return [(number, _certificate.validate_json(body)) for number, body in rows]

    def revocations(self) -> list[tuple[str, str, str, int, str]]:
        """List serial number, issuer, time, reason and end of what was revoked, as they are written in the records."""
        members = ("issuer", "revoked_at", "reason", "not_after")
        columns = ", ".join(f"json_extract(body, '$.{member}')" for member in members)
        return list(self._sql.execute(f"SELECT serial, {columns} FROM certificates WHERE revoked ORDER BY number"))  # noqa: S608

    def revoked_count(self) -> int:
        """Count what was revoked."""
        return self._count("SELECT count(*) FROM certificates WHERE revoked")

    def put_document(self, room: str, document_id: str, body: str, key: str = "") -> None:
        """Write a document of a room, new or changed; `key` is what else it is looked up by."""
        self._sql.execute(
            "INSERT INTO documents (room, id, key, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (room, id) DO UPDATE SET key = excluded.key, body = excluded.body",
            (room, document_id, key, body),
        )

    def document(self, room: str, document_id: str) -> str | None:
        """Find a document by its id."""
        row = self._sql.execute("SELECT body FROM documents WHERE room = ? AND id = ?", (room, document_id)).fetchone()
        return None if row is None else str(row[0])

    def documents(self, room: str, *, key: str | None = None, after: int = 0, limit: int = -1) -> list[tuple[int, str]]:
        """List a room's documents with their numbers, oldest first, from the number after `after`; -1 is no limit."""
        query = "SELECT number, body FROM documents WHERE room = ?1 AND number > ?3 AND (?2 IS NULL OR key = ?2)"
        return list(self._sql.execute(f"{query} ORDER BY number LIMIT ?4", (room, key, after, limit)))

    def count_documents(self, room: str, key: str) -> int:
        """Count a room's documents with this key."""
        return int(self._sql.execute("SELECT count(*) FROM documents WHERE room = ? AND key = ?", (room, key)).fetchone()[0])

    def delete_document(self, room: str, document_id: str) -> None:
        """Take a document out."""
        self._sql.execute("DELETE FROM documents WHERE room = ? AND id = ?", (room, document_id))

    def counts(self) -> dict[str, int]:
        """Count what is in the book."""
        names = ("accounts", "orders", "authorizations", "certificates")
        found = {name: self._count(f"SELECT count(*) FROM {name}") for name in names}  # noqa: S608 - four fixed names
        return found | {"revoked": self._count("SELECT count(*) FROM certificates WHERE revoked")}

    def _count(self, query: str) -> int:
        return int(self._sql.execute(query).fetchone()[0])

    def _one(self, query: str, key: str) -> bytes | None:
        row = self._sql.execute(query, (key,)).fetchone()
        return None if row is None else row[0]
