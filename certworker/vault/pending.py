"""A certificate that has no version yet: its first operation is in progress, or came to nothing."""

from dataclasses import dataclass

from certworker.vault.lifetime import self_signed_validity
from certworker.vault.objects import Attributes, ObjectHead
from certworker.vault.operations import Certificate, Operation
from certworker.vault.store import Reader


@dataclass(frozen=True, slots=True)
class PendingCertificate:
    """What there is before the first version: the name, the policy, and the version that the operation will give."""

    head: ObjectHead
    operation: Operation
    certificate: Certificate

    @property
    def attributes(self) -> Attributes:
        """Attributes as Key Vault shows them: disabled, and valid as a certificate would be that were made at the start."""
        made = self.operation.created
        begin, end = self_signed_validity(made, self.operation.policy.x509.validity_months)
        return Attributes(made, self.operation.updated, enabled=False, not_before=begin, expires=end)


def find_pending(reader: Reader, head: ObjectHead, version: str | None) -> PendingCertificate | None:
    """Find what is pending of a certificate that has no version yet: of the version that it will have, if one is named."""
    if head.current_version:
        return None
    operation, certificate = reader.operation(head.vault_id, head.name), reader.certificate(head.vault_id, head.name)
    if operation is None or certificate is None or version not in {None, operation.version}:
        return None
    return PendingCertificate(head, operation, certificate)
