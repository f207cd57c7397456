"""Companions: the managed key and secret that a certificate brings along. They live and change only with it."""

from certworker.errors import Forbidden
from certworker.vault.objects import Attributes, ObjectHead, ObjectKind, Tags
from certworker.vault.store import Writer

TOGETHER = (ObjectKind.CERTIFICATE, ObjectKind.KEY, ObjectKind.SECRET)


def require_unmanaged(head: ObjectHead, operation: str) -> None:
    """Refuse to change a managed key or secret on its own; `operation` is Key Vault's word. Raises Forbidden."""
    if head.managed:
        raise Forbidden(
            f'Operation "{operation}" is not allowed on the {head.kind} {head.name}, which is managed: it belongs to the '
            "certificate of the same name. Do it to the certificate."
        )


def set_together(writer: Writer, vault_id: str, name: str, version: str, attributes: Attributes, tags: Tags) -> None:
    """Replace attributes and tags of one version of certificate, key and secret, as part of a larger transaction."""
    for kind in TOGETHER:
        writer.set_attributes(vault_id, kind, name, version, attributes, tags)
