"""The places of what is sealed beside keys and secrets: a record opens at its own place only.

Each vault has keys of its own, so a place is bound to its vault twice: by these words, and by the key.
"""

from datetime import datetime

from certworker.vault.objects import fold_name


def spare_key_place(key_id: str) -> str:
    """Name the place of a key that belongs to nothing yet, which lies in the service's own vault."""
    return f"spare-key/{key_id}"


def credential_place(vault_id: str, issuer: str) -> str:
    """Name the place of an issuer's credential."""
    return f"{vault_id}/issuer/{fold_name(issuer)}/credential"


def account_place(vault_id: str, issuer: str, authority: str) -> str:
    """Name the place of the key of an account at a CA."""
    return f"{vault_id}/issuer/{fold_name(issuer)}/account/{authority}"


def evidence_place(vault_id: str, operation_id: str, at: datetime) -> str:
    """Name the place of what was refused in an operation."""
    return f"{vault_id}/operation/{operation_id}/evidence/{int(at.timestamp())}"


def signing_place(key_id: str) -> str:
    """Name the place of a key that signs tokens, which lies in the service's own vault."""
    return f"directory/signing-key/{key_id}"


def audit_key_place(key_id: str) -> str:
    """Name the place of a key that signs the audit log's heads, which lies in the service's own vault."""
    return f"audit/key/{key_id}"
