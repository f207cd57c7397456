"""What nobody asks about is found, on SQLite and on PostgreSQL."""

from dataclasses import replace

from certworker.vault.objects import Deletion, ObjectKind
from certworker.vault.renewal.advice import Unwatched
from certworker.vault.store import Store
from certworker.vault.watches import Watch, WatchKind
from tests.support.clock import START
from tests.support.records import VAULT_ID, VERSION, a_policy, add_certificate, an_operation


def test_what_a_ca_issued_and_nobody_watches_is_found(store: Store) -> None:
    """Current versions alone, of live certificates; not what signed itself, nor what came without an operation."""
    with store.writing() as writer:
        for number, name in enumerate(("Web", "Watched", "Behind", "Own", "Manual", "Imported", "Deleted", "Old")):
            add_certificate(writer, name)
            issuer = {"Own": "self", "Manual": "Unknown"}.get(name, "MyCA")
            operation = an_operation(name, f"operation-{number}", policy=a_policy(issuer))
            if name == "Old":
                operation = replace(operation, version="0")
            if name != "Imported":
                writer.add_operation(operation)
        for name, version in (("Watched", VERSION), ("Behind", "0")):
            writer.put_watch(Watch(WatchKind.ADVICE, VAULT_ID, name, version, START))
        writer.put_watch(Watch(WatchKind.REVOCATION, VAULT_ID, "Web", VERSION, START))
        writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, "Deleted", Deletion(START, START))
    with store.reading() as reader:
        found = reader.unwatched(WatchKind.ADVICE)
    assert found == (Unwatched(VAULT_ID, "Behind", VERSION, "MyCA"), Unwatched(VAULT_ID, "Web", VERSION, "MyCA"))
