"""Certificates of a vault by which the service itself is known to others, in TLS."""

from collections.abc import Callable
from dataclasses import dataclass, field

from certworker.errors import SettingsError
from certworker.vault.materials import Materials
from certworker.vault.objects import KeyVersion, ObjectKind
from certworker.vault.store import Reader, Store


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The current version of a certificate at `place` (VAULT/NAME): DER, the leaf first. `open_key` gives its DER PKCS#8."""

    place: str
    version: str
    certificates: tuple[bytes, ...]
    open_key: Callable[[], bytes] = field(repr=False, compare=False)


class ClientCertificates:
    """Finds them by what settings say. Which version is the current one is read each time."""

    def __init__(self, store: Store, materials: Materials) -> None:
        self._store = store
        self._materials = materials

    def find(self, place: str, setting: str) -> ClientCertificate:
        """Find the certificate that `setting` names. Raises SettingsError where it is not there, or its key cannot leave."""
        vault_name, _, name = place.partition("/")
        with self._store.reading() as reader:
            vault = reader.vault_by_name(vault_name)
            if vault is None:
                raise SettingsError(f"{setting} is {place}, and there is no vault {vault_name}: write VAULT/NAME.")
            key = self._key(reader, vault.id, name, f"{setting} is {place}")
            version = reader.certificate_version(vault.id, name, key.version)
        if version is None or not version.attributes.enabled:
            raise SettingsError(f"{setting} is {place}, and the current version of this certificate is disabled.")
        certificates = (version.der, *version.chain)
        return ClientCertificate(place, version.version, certificates, lambda: self._materials.private(key))

    def _key(self, reader: Reader, vault_id: str, name: str, said: str) -> KeyVersion:
        head = reader.head(vault_id, ObjectKind.CERTIFICATE, name) if name else None
        current = reader.certificate_version(vault_id, name, None) if head and not head.deletion else None
        key = reader.key(vault_id, name, current.version) if current else None
        if key is None:
            raise SettingsError(f"{said}, and there is no certificate of this name: create or import it.")
        if key.hsm_key_id:
            raise SettingsError(
                f"{said}, whose key lies in a hardware token: TLS needs a key that lies here, so give the certificate one of "
                "the type RSA or EC."
            )
        return key
