"""The deployment's own root: it issues the certificates by which the server's parts know each other."""

from datetime import datetime, timedelta

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign, sign_csr, validity
from certworker.errors import BadParameter
from certworker.vault.issuance import Account, AccountBook, IssuanceRequest, Issued, Rejected, Step
from certworker.vault.operations import Progress

AUTHORITY = "local"
ROOT_VALIDITY = timedelta(days=3652)
BACKDATED = timedelta(minutes=10)
"""Clocks of readers may be a little behind."""

_ROOT = CertificateRequest("CN=certworker local root", SubjectNames(), ("keyCertSign", "cRLSign"), ())


class LocalProvider:
    """A root whose key and certificate lie in the account book, one for each vault and issuer; its leaves live `validity`."""

    def __init__(self, accounts: AccountBook, validity: timedelta) -> None:
        self._accounts = accounts
        self._validity = validity

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:  # noqa: ARG002
        """Issue at once."""
        account, root = self._root(request.vault_id, request.issuer, at)
        not_after = min(at + self._validity, validity(root)[1])
        if not_after <= at:
            return Rejected("Certificate issuer error", "The local root has expired.", configuration=True)
        try:
            leaf = sign_csr(request.csr, root, account.key, at - BACKDATED, not_after)
        except (BadParameter, ValueError) as error:
            return Rejected("Request rejected", f"The local root cannot sign this request: {error}", configuration=True)
        return Issued((leaf, root))

    def root_certificate(self, vault_id: str, issuer: str, at: datetime) -> bytes:
        """Give the root's DER certificate, for a CA bundle; it is made if there is none."""
        return self._root(vault_id, issuer, at)[1]

    def _root(self, vault_id: str, issuer: str, at: datetime) -> tuple[Account, bytes]:
        account = self._accounts.find(vault_id, issuer, AUTHORITY)
        if account is None:
            account = self._accounts.keep(vault_id, issuer, AUTHORITY, _new_root(at))
        if account.document is None:
            raise ValueError("the account of the local root has no certificate")
        return account, account.document


def _new_root(at: datetime) -> Account:
    key = generate_key("EC", None, "P-256")
    return Account(key, document=self_sign(key, _ROOT, at - BACKDATED, at + ROOT_VALIDITY, authority=True))
