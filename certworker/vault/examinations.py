"""Issuer records are looked at: whether the CA can be reached, and whether it knows us."""

from dataclasses import dataclass
from typing import cast

from certworker.clock import Clock, whole_second
from certworker.errors import IssuerNotFound
from certworker.measures import Measures, Purpose, asking
from certworker.vault.access import Access, Caller
from certworker.vault.issuance import Examination, Examiner, Providers
from certworker.vault.issuers import Issuers
from certworker.vault.store import Store
from certworker.vault.vaults import Issuer, Vault


@dataclass(frozen=True, slots=True)
class IssuerExamination:
    """An issuer record and what was found; no result where its provider has no way to look without issuing."""

    issuer: Issuer
    result: Examination | None


class IssuerExaminations:
    """Asks the providers, which ask the CAs. Nothing is ordered, and nothing is stored."""

    def __init__(
        self, store: Store, access: Access, issuers: Issuers, providers: Providers, clock: Clock, measures: Measures
    ) -> None:
        self._store = store
        self._access = access
        self._issuers = issuers
        self._providers = providers
        self._clock = clock
        self._measures = measures

    def examine(self, caller: Caller, vault: Vault, name: str) -> IssuerExamination:
        """Look at an issuer's CA, in no transaction. For whom may set issuers, since the CA is asked. Raises IssuerNotFound."""
        self._access.require(caller, vault, "certificates", "setissuers")
        with self._store.reading() as reader:
            issuer = reader.issuer(vault.id, name)
        if issuer is None:
            raise IssuerNotFound("Issuer not found")
        provider = self._providers.get(issuer.provider.casefold())
        if provider is None:
            text = f"This deployment does not have the provider {issuer.provider}."
            return IssuerExamination(issuer, Examination(passed=False, findings=(text,)))
        if not callable(getattr(provider, "examine", None)):
            return IssuerExamination(issuer, None)
        with asking(self._measures, Purpose.ACCOUNT, issuer.name, self._clock):
            result = cast("Examiner", provider).examine(self._issuers.request(issuer), whole_second(self._clock()))
        if not issuer.enabled:
            findings = ("The issuer is disabled: nothing is asked of it.", *result.findings)
            result = Examination(passed=False, findings=findings)
        return IssuerExamination(issuer, result)
