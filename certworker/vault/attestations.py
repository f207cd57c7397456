"""Attestations of keys: what an HSM says and signs of a key that lies in it."""

from certworker.errors import BadParameter
from certworker.vault.access import Caller
from certworker.vault.keys import Keys
from certworker.vault.objects import KeyVersion
from certworker.vault.vaults import Vault


class Attestations:
    """Tells why there is none: PKCS#11 has no word for one, and this process's own word for a token would prove nothing."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def attest(self, caller: Caller, vault: Vault, name: str, version: str | None) -> KeyVersion:
        """Give a key with its attestation. Raises KeyNotFound, and BadParameter for every key that there is."""
        key = self._keys.get(caller, vault, name, version)
        if key.hsm_key_id:
            raise BadParameter(
                f"The hardware token that the key {key.name} lies in gives no attestation: PKCS#11 has none. Ask the token "
                f"itself, by the CKA_ID {key.hsm_key_id}.",
                "name",
            )
        raise BadParameter(f"The key {key.name} is a software key: an attestation is given of keys that lie in an HSM.", "name")
