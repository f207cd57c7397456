"""The first set of certificates that `make run` shows: one for each road."""

import logging
from dataclasses import dataclass

from certworker.bootstrap import House
from certworker.cli.home import ISSUER
from certworker.crypto.extensions import SubjectNames
from certworker.errors import Conflict
from certworker.vault.access import Caller
from certworker.vault.policy import PEM, PKCS12, SELF, UNKNOWN, IssuerParameters, KeyProperties, Policy, X509Properties
from certworker.vault.vaults import Vault

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Example:
    name: str
    host: str
    issuer: IssuerParameters
    content_type: str


_EXAMPLES = (
    _Example("internal", "internal.example.test", IssuerParameters(SELF), PKCS12),
    _Example("web", "web.example.test", IssuerParameters(ISSUER, cty="minutes"), PEM),
    _Example("partner", "partner.example.test", IssuerParameters(UNKNOWN), PKCS12),
)


def plant_demo(house: House, caller: Caller, vault: Vault) -> None:
    """Create each certificate of the first set that is not there."""
    for example in _EXAMPLES:
        with house.store.reading() as reader:
            known = reader.certificate(vault.id, example.name)
        if known:
            continue
        try:
            house.certificates.create(caller, vault, example.name, _policy(example), tags={"made-by": "certworker dev --demo"})
        except Conflict as conflict:
            _log.info("The example %s is left out: %s", example.name, conflict)


def _policy(example: _Example) -> Policy:
    return Policy(
        key=KeyProperties("EC", None, "P-256"),
        x509=X509Properties(
            subject=f"CN={example.host}", names=SubjectNames(dns_names=(example.host,)), key_usage=("digitalSignature",)
        ),
        content_type=example.content_type,
        issuer=example.issuer,
    )
