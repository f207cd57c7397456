"""What is known of the revocation of a vault's certificates, and a look at one now, for whoever may see them."""

from certworker.vault.access import Access, Caller
from certworker.vault.heads import live_head
from certworker.vault.objects import CertificateVersion, ObjectKind, not_found
from certworker.vault.revocation.standing import WatchedCertificate, read_status
from certworker.vault.revocation.watching import RevocationWatching
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault
from certworker.vault.watches import Watch, WatchKind


class RevocationStatuses:
    """Shows what the watch has found, and looks when asked."""

    def __init__(self, store: Store, access: Access, watching: RevocationWatching) -> None:
        self._store = store
        self._access = access
        self._watching = watching

    def show(self, caller: Caller, vault: Vault, name: str) -> WatchedCertificate:
        """Show what is known of the current version of a certificate. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            return _shown(_current(reader, vault, name), reader.watch(WatchKind.REVOCATION, vault.id, name))

    def check(self, caller: Caller, vault: Vault, name: str) -> WatchedCertificate:
        """Look at the current version of a certificate now, and act on what is found. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            current = _current(reader, vault, name)
        return _shown(current, self._watching.look_now(current))

    def list_(self, caller: Caller, vault: Vault) -> tuple[WatchedCertificate, ...]:
        """List what is known of every current version in a vault, by name."""
        self._access.require(caller, vault, "certificates", "list")
        with self._store.reading() as reader:
            watches = {watch.name: watch for watch in reader.watches(WatchKind.REVOCATION) if watch.vault_id == vault.id}
            found = [entry for entry in reader.fleet() if entry.vault == vault.name and entry.version]
        return tuple(_listed(entry.name, entry.version or "", watches.get(entry.name)) for entry in found)


def _current(reader: Reader, vault: Vault, name: str) -> CertificateVersion:
    live_head(reader, vault, ObjectKind.CERTIFICATE, name)
    current = reader.certificate_version(vault.id, name, None)
    if current is None:
        raise not_found(ObjectKind.CERTIFICATE, name)
    return current


def _shown(current: CertificateVersion, watch: Watch | None) -> WatchedCertificate:
    return _listed(current.name, current.version, watch)


def _listed(name: str, version: str, watch: Watch | None) -> WatchedCertificate:
    status = read_status(watch, version)
    return WatchedCertificate(name, version, status, watch.due_at if watch and status else None)
