"""The validation policy of the accounts: what it is, as a document, and whether a request keeps it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ca_sim.acme.jose import PublicKey
from ca_sim.authority.subject import Subject
from ca_sim.globalsign.errors import UnprocessableError
from ca_sim.globalsign.settings import GlobalsignSettings
from ca_sim.globalsign.wire import MAX_NAMES, CertificateRequest, San, SubjectDn, Validity

RSA_LENGTHS = (2048, 3072, 4096)
EC_LENGTHS = (256, 384, 521)
BACKWARD = timedelta(minutes=2)
FORWARD = timedelta(hours=1)
"""How far notBefore may lie from the authority's time."""
EKUS = (r"^1\.3\.6\.1\.5\.5\.7\.3\.1$", r"^1\.3\.6\.1\.5\.5\.7\.3\.2$")
COMMON_NAME = "^.{1,64}$"
_LIMITS = {"dns_names": MAX_NAMES, "ip_addresses": MAX_NAMES, "emails": 0, "uris": 0}


@dataclass(frozen=True, slots=True)
class ValidationPolicy:
    """What an account may ask for. `issuer_expiry` is when the issuing certificate ends."""

    settings: GlobalsignSettings
    issuer_expiry: datetime

    def document(self) -> dict[str, Any]:
        """Show the policy as GET /validationpolicy does."""
        return {
            "validity": {
                "secondsmin": self.settings.least_validity_seconds,
                "secondsmax": self.settings.most_validity_seconds,
                "not_before_negative_skew": _seconds(BACKWARD),
                "not_before_positive_skew": _seconds(FORWARD),
                "issuer_expiry": int(self.issuer_expiry.timestamp()),
            },
            "subject_dn": self._subject_document(),
            "san": {name: _list(["^.*$"] if most else [], most) for name, most in _LIMITS.items()},
            "extended_key_usages": {"ekus": _list(list(EKUS), len(EKUS)), "critical": False},
            "public_key": {
                "key_type": self.settings.key_type,
                "allowed_lengths": list(self._lengths()),
                "key_format": "PKCS10" if self.wants_csr else "PKCS8",
            },
            "public_key_signature": "REQUIRED" if self.wants_signature else "FORBIDDEN",
        }

    @property
    def wants_csr(self) -> bool:
        """Whether a CSR stands in the place of the public key."""
        return self.settings.proof == "csr"

    @property
    def wants_signature(self) -> bool:
        """Whether the public key comes with a signature of it."""
        return self.settings.proof == "signature"

    def span(self, asked: Validity, at: datetime) -> tuple[datetime, timedelta]:
        """Give the start and the length of the validity. Raises UnprocessableError."""
        begin = datetime.fromtimestamp(asked.not_before, UTC)
        if not at - BACKWARD <= begin <= at + FORWARD:
            raise UnprocessableError(f"validity.not_before: {begin.isoformat()} is too far from now, {at.isoformat()}")
        most = timedelta(seconds=self.settings.most_validity_seconds)
        if not asked.not_after:
            return begin, min(most, self.issuer_expiry - begin)
        length = datetime.fromtimestamp(asked.not_after, UTC) - begin
        if not timedelta(seconds=self.settings.least_validity_seconds) <= length <= most:
            least = self.settings.least_validity_seconds
            text = f"{_seconds(length)} seconds asked for, {least} to {_seconds(most)} are taken"
            raise UnprocessableError(f"validity: {text}")
        if begin + length > self.issuer_expiry:
            raise UnprocessableError(f"validity.not_after: the issuer expires at {self.issuer_expiry.isoformat()}")
        return begin, length

    def subject(self, asked: SubjectDn) -> Subject:
        """Give what stands beside the common name. Raises UnprocessableError for a field that may not be given."""
        for name, value in asked.model_dump(exclude={"common_name"}).items():
            fixed = self.settings.subject.get(name)  # type: ignore[call-overload]  # a name that may not be among them
            if value and value != fixed:
                rule = f"STATIC ({fixed})" if fixed else "FORBIDDEN"
                raise UnprocessableError(f"subject_dn.{name}: it is {rule} by the validation policy")
        if asked.common_name is not None and not re.fullmatch(COMMON_NAME, asked.common_name):
            raise UnprocessableError(f"subject_dn.common_name: it does not match {COMMON_NAME}")
        return Subject(**self.settings.subject)

    def check_names(self, asked: San) -> None:
        """Refuse what is too many, or of a kind that is not taken, or nothing. Raises UnprocessableError."""
        for name, most in _LIMITS.items():
            if (count := len(getattr(asked, name))) > most:
                raise UnprocessableError(f"san.{name}: {count} given, the most is {most}")
        count = len(asked.dns_names) + len(asked.ip_addresses)
        if not count:
            raise UnprocessableError("san: at least one of dns_names and ip_addresses is needed")
        if count > MAX_NAMES:
            raise UnprocessableError(f"san: {count} given in all, the most is {MAX_NAMES}")

    def check_usages(self, asked: CertificateRequest) -> None:
        """Refuse extended key usages that are not taken. Raises UnprocessableError."""
        for usage in asked.extended_key_usages:
            if not any(re.fullmatch(pattern, usage) for pattern in EKUS):
                raise UnprocessableError(f"extended_key_usages: {usage!r} matches none of {', '.join(EKUS)}")
        if len(set(asked.extended_key_usages)) != len(asked.extended_key_usages):
            raise UnprocessableError("extended_key_usages: one is given twice")

    def check_key(self, key: PublicKey) -> None:
        """Refuse a key of another kind or length. Raises UnprocessableError."""
        kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else "ECDSA"
        if self.settings.key_type not in (kind, "ANY") or key.key_size not in (RSA_LENGTHS if kind == "RSA" else EC_LENGTHS):
            lengths = ", ".join(str(length) for length in self._lengths())
            rule = f"{self.settings.key_type} with one of {lengths} bits is taken"
            raise UnprocessableError(f"public_key: a key of {kind} with {key.key_size} bits was given, {rule}")

    def _lengths(self) -> tuple[int, ...]:
        by_kind = {"RSA": RSA_LENGTHS, "ECDSA": EC_LENGTHS, "ANY": RSA_LENGTHS + EC_LENGTHS}
        return by_kind[self.settings.key_type]

    def _subject_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"common_name": {"presence": "OPTIONAL", "format": COMMON_NAME}}
        for name in SubjectDn.model_fields:
            fixed = self.settings.subject.get(name)  # type: ignore[call-overload]
            if name == "organizational_unit":
                document[name] = _list([], 0)
            elif name != "common_name":
                document[name] = {"presence": "STATIC" if fixed else "FORBIDDEN", "format": fixed or ""}
        return document


def _list(patterns: list[str], most: int) -> dict[str, Any]:
    return {"static": False, "list": patterns, "mincount": 0, "maxcount": most}


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
