"""Update: the attributes, tags and policy of a version that is there. Its key and secret follow."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter
from certworker.vault.access import Access, Caller
from certworker.vault.certificates import CertificateBundle
from certworker.vault.companions import set_together
from certworker.vault.issuances import check_issuer
from certworker.vault.objects import Attributes, CertificateVersion, ObjectKind, Tags, check_tags, not_found
from certworker.vault.operations import Certificate
from certworker.vault.policy import Policy, complete
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Store, Writer
from certworker.vault.vaults import Vault


@dataclass(frozen=True, slots=True)
class Update:
    """What is to change; none leaves it as it is. The times are the certificate's own, and can only be repeated."""

    enabled: bool | None = None
    not_before: datetime | None = None
    expires: datetime | None = None
    tags: Tags | None = None
    change: Callable[[Policy], Policy] | None = None


class Updates:
    """Changes versions of certificates in place."""

    def __init__(self, store: Store, access: Access, planner: Planner, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._planner = planner
        self._clock = clock

    def update(self, caller: Caller, vault: Vault, name: str, version: str | None, update: Update) -> CertificateBundle:
        """Change a version, the current one where none is named, with its key and its secret; and the policy of them all.

        Raises CertificateNotFound, IssuerNotFound, BadParameter.
        """
        self._access.require(caller, vault, "certificates", "update", name=name)
        if update.tags is not None:
            check_tags(update.tags)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            head = writer.head(vault.id, ObjectKind.CERTIFICATE, name)
            known = writer.certificate_version(vault.id, name, version) if head and not head.deletion else None
            certificate = writer.certificate(vault.id, name) if known else None
            if head is None or known is None or certificate is None:
                raise not_found(ObjectKind.CERTIFICATE, name, version)
            changed = _changed(known, update, at)
            set_together(writer, vault.id, name, known.version, changed.attributes, changed.tags)
            if update.change:
                certificate = self._with_policy(writer, vault, certificate, update.change, at)
            pending = writer.operation(vault.id, name) is not None
            return CertificateBundle(head, changed, certificate, pending)

    def _with_policy(
        self, writer: Writer, vault: Vault, known: Certificate, change: Callable[[Policy], Policy], at: datetime
    ) -> Certificate:
        policy = complete(change(known.policy))
        if policy.issuer.name.casefold() != known.policy.issuer.name.casefold():
            check_issuer(writer, vault, policy)
        changed = replace(known, policy=policy, policy_updated=at)
        writer.put_certificate(changed)
        # a worker that has claimed the renewal, and knows the policy as it was, loses it
        self._planner.replan(writer, vault.id, known.name, at, afresh=True)
        return writer.certificate(vault.id, known.name) or changed


def _changed(known: CertificateVersion, update: Update, at: datetime) -> CertificateVersion:
    attributes = known.attributes
    _check_time("attributes.nbf", update.not_before, attributes.not_before)
    _check_time("attributes.exp", update.expires, attributes.expires)
    enabled = attributes.enabled if update.enabled is None else update.enabled
    tags = known.tags if update.tags is None else update.tags
    return replace(
        known, attributes=Attributes(attributes.created, at, enabled, attributes.not_before, attributes.expires), tags=tags
    )


def _check_time(name: str, said: datetime | None, is_: datetime | None) -> None:
    if said is not None and said != is_:
        message = f"{name} cannot be changed: it is what the certificate says, {is_:%Y-%m-%dT%H:%M:%SZ}." if is_ else ""
        raise BadParameter(message or f"{name} cannot be set.", name)
