"""The validation policy of an account: what may be asked for, and in what form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certworker.issuers.rest import Answer

_LEFT_OUT = frozenset({"STATIC", "FORBIDDEN"})
"""What the CA fills in itself, or does not take at all."""


@dataclass(frozen=True, slots=True)
class AtlasPolicy:
    """What is read of the policy; its patterns are the CA's to apply. Times are seconds.

    `subject` are the fields of a subject that may be given, `required` those that must be. `wants_csr` says that a signing
    request takes the place of the public key, `wants_signature` that the public key comes with a signature.
    """

    wants_csr: bool
    wants_signature: bool
    subject: frozenset[str]
    required: frozenset[str]
    takes_usages: bool
    least: int = 0
    most: int = 0
    issuer_expiry: int = 0

    @property
    def days(self) -> int:
        """The longest validity in whole days."""
        return self.most // 86_400


def read_policy(answer: Answer) -> AtlasPolicy:
    """Read GET /validationpolicy. Raises Garbled."""
    document = answer.fields()
    public_key, validity = _table(document, "public_key"), _table(document, "validity")
    if not public_key or not validity:
        raise answer.garbled("something else than a validation policy")
    subject = _table(document, "subject_dn")
    usages = _table(_table(document, "extended_key_usages"), "ekus")
    return AtlasPolicy(
        wants_csr=public_key.get("key_format") == "PKCS10",
        wants_signature=document.get("public_key_signature") in ("REQUIRED", "OPTIONAL"),
        subject=frozenset(name for name, rule in subject.items() if _is_taken(rule)),
        required=frozenset(name for name, rule in subject.items() if _presence(rule) == "REQUIRED"),
        takes_usages=_is_taken(usages) if usages else False,
        least=_number(validity, "secondsmin"),
        most=_number(validity, "secondsmax"),
        issuer_expiry=_number(validity, "issuer_expiry"),
    )


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _number(document: Mapping[str, Any], name: str) -> int:
    found = document.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def _presence(rule: object) -> object:
    return rule.get("presence") if isinstance(rule, dict) else None


def _is_taken(rule: object) -> bool:
    """Whether a value may be given: a single one has a presence, a list can be static, or empty."""
    if not isinstance(rule, dict):
        return False
    if "presence" in rule:
        return rule["presence"] not in _LEFT_OUT
    return not rule.get("static") and _number(rule, "maxcount") > 0
