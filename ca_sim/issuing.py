"""The one way to a certificate, whichever API it was ordered by: signed, and spoilt where a fault says so."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca_sim.authority.hierarchy import Authority, serial_of, spki_sha256
from ca_sim.authority.profiles import USUAL, LeafRules, leaf_key_type
from ca_sim.authority.subject import NOBODY, Subject
from ca_sim.authority.templates import Extend
from ca_sim.certificates import Certificate
from ca_sim.clock import Clock
from ca_sim.csr import SigningRequest
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import FaultKind
from ca_sim.identifiers import Identifier
from ca_sim.problems import BadCsrError


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is to be signed, by which API it was asked for, and for which account and order in that API's words.

    `not_before` and `not_after` take the place of what `validity` gives; `profile` is the name it goes by in the records.
    `subject` is what stands beside the common name of `request`, which needs no CSR: SigningRequest(public_key, common_name).
    `extended_key_usages` (dotted numbers) take the place of those of the profile. A profile that the settings do
    not know stands for the usual rules.
    """

    api: str
    account_id: str
    order_id: str
    request: SigningRequest
    identifiers: tuple[Identifier, ...]
    profile: str
    validity: timedelta
    not_before: datetime | None = None
    not_after: datetime | None = None
    subject: Subject = NOBODY
    extended_key_usages: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Name the kind of what is done, as faults know it: acme.issue, say."""
        return f"{self.api}.issue"

    @property
    def names(self) -> tuple[str, ...]:
        """Give the values of the identifiers."""
        return tuple(identifier.value for identifier in self.identifiers)


class Issuing:
    """Signs what was applied for. Call it in no transaction: a fault that strikes is written down."""

    def __init__(
        self,
        authority: Authority,
        faults: Faults,
        clock: Clock,
        *,
        profiles: Mapping[str, LeafRules] | None = None,
        extend: Extend | None = None,
    ) -> None:
        self._authority = authority
        self._faults = faults
        self._clock = clock
        self._profiles = profiles or {}
        self._extend = extend

    def ready_at(self, application_place: str, names: tuple[str, ...], at: datetime, delay: timedelta) -> datetime | None:
        """Say when what is applied for now will be issued: after `delay`, later where it is stuck; none is never."""
        stuck = self._faults.strike(FaultKind.STUCK, application_place, names)
        if stuck is None:
            return at + delay
        return None if stuck.seconds is None else at + max(delay, timedelta(seconds=stuck.seconds))

    def check(self, profile: str, request: SigningRequest, identifiers: Collection[Identifier]) -> None:
        """Check key and number of names against the rules of a profile; others than those of the settings take the usual.

        Raises BadCsrError.
        """
        rules = self._profiles.get(profile, USUAL)
        if leaf_key_type(request.public_key) not in rules.key_types:
            raise BadCsrError(f"the key of the CSR is not taken here: use {', '.join(rules.key_types)}")
        if len(identifiers) > rules.max_names:
            raise BadCsrError(
                f"{len(identifiers)} names are too many: a certificate of this kind has at most {rules.max_names}"
            )

    def issue(self, application: Application) -> Certificate:
        """Sign, and give the record of it, which the caller writes into the book together with its order.

        Raises BadCsrError as `check` does.
        """
        self.check(application.profile, application.request, application.identifiers)
        at = self._clock()
        if skew := self._strikes(FaultKind.CLOCK_SKEW, application):
            at += timedelta(seconds=skew)
        spoilt = self._spoilt(application, at)
        leaf = self._authority.issue(
            spoilt.request,
            spoilt.identifiers,
            validity=spoilt.validity,
            at=at,
            not_before=spoilt.not_before,
            not_after=spoilt.not_after,
            subject=spoilt.subject,
            extended_key_usages=spoilt.extended_key_usages,
            rules=self._profiles.get(application.profile, USUAL),
            extend=self._extend,
        )
        issuer = self._authority.issuer_of(leaf)
        return Certificate(
            serial=serial_of(leaf),
            account_id=application.account_id,
            order_id=application.order_id,
            identifiers=application.identifiers,
            profile=application.profile,
            chain=self._chain(application, leaf),
            spki_sha256=spki_sha256(leaf),
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            api=application.api,
            issuer=issuer.id if issuer else "",
        )

    def _spoilt(self, application: Application, at: datetime) -> Application:
        """Change what was applied for where a fault says so."""
        spoilt = application
        if self._strikes(FaultKind.WRONG_KEY, application) is not None:
            strange = ec.generate_private_key(ec.SECP256R1()).public_key()
            spoilt = replace(spoilt, request=SigningRequest(strange, spoilt.request.common_name))
        if self._strikes(FaultKind.WRONG_NAMES, application) is not None:
            names = (Identifier("dns", "somebody-else.example"),)
            spoilt = replace(spoilt, identifiers=names, request=SigningRequest(spoilt.request.public_key, None))
        if (seconds := self._strikes(FaultKind.WRONG_VALIDITY, application)) is not None:
            # without a length it is over already
            begin, end = (at, timedelta(seconds=seconds)) if seconds else (at - timedelta(days=2), timedelta(days=1))
            spoilt = replace(spoilt, not_before=begin, not_after=begin + end)
        return spoilt

    def _chain(self, application: Application, leaf: x509.Certificate) -> str:
        if self._strikes(FaultKind.GARBAGE, application) is not None:
            return "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
        if self._strikes(FaultKind.WRONG_CHAIN, application) is not None:
            return self._authority.wrong_chain(leaf, self._clock())
        return self._authority.chain(leaf)

    def _strikes(self, kind: FaultKind, application: Application) -> float | None:
        fault = self._faults.strike(kind, application.place, application.names)
        return None if fault is None else fault.seconds or 0.0
