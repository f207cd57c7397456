"""Settings of the API in the style of GlobalSign Atlas."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ca_sim.setting import DAY, Delay, Port, Seconds, Section, setting

Amount = Annotated[int, Field(strict=True, ge=0)]
Word = Annotated[str, Field(min_length=1, max_length=256)]
_MOST = {"organization": 64, "locality": 128, "state": 128}
"""Characters that a field of a subject can have (RFC 5280 appendix A.1)."""


class GlobalsignSettings(Section):
    """[globalsign]."""

    port: Port = setting(14011, unit="TCP port", help="Port of this API (HTTPS with client certificates); 0 takes a free one.")
    client_roots: str = setting(
        "",
        unit="PEM file",
        help="Client certificates that are let in, or the authorities that issue them themselves. Those that management issues"
        " are let in besides.",
    )
    token_seconds: Seconds = setting(600, unit="seconds", help="Time that the access token of a log-in can be used.")
    issue_seconds: Delay = setting(0, unit="seconds", help="Time from the request until its certificate can be fetched.")
    stats_lag_seconds: Delay = setting(
        10, unit="seconds", help="Time from the issuance until a certificate shows in the statistics, by which it can be found."
    )
    requests_per_second: Amount = setting(
        100, unit="requests", help="How many requests an account may make in a second before it is told 429; 0 is no limit."
    )
    quota: Amount = setting(1_000_000, unit="certificates", help="How many certificates an account may have issued in all.")
    claimed_domains: tuple[str, ...] = setting(
        ("*",),
        unit="domains or addresses",
        help='What every account controls without a claim: these, and all names below them; "*" is everything.',
    )
    claim_days: Annotated[int, Field(strict=True, ge=1, le=36_600)] = setting(
        365, unit="days", help="Time that a domain claim holds once it is verified."
    )
    least_validity_seconds: Seconds = setting(3600, unit="seconds", help="Shortest validity that the validation policy takes.")
    most_validity_seconds: Seconds = setting(198 * DAY, unit="seconds", help="Longest validity that it takes.")
    key_type: Literal["RSA", "ECDSA", "ANY"] = setting(
        "ANY", unit="RSA, ECDSA or ANY", help="Keys that it takes. An account at Atlas has one kind; ANY is of this simulation."
    )
    proof: Literal["signature", "csr", "none"] = setting(
        "signature",
        unit="signature, csr or none",
        help="What proves the possession of the key: a signature of the public key, a CSR in its place, or nothing.",
    )
    accounts: dict[Word, Word] = setting(
        {"ca-sim-key": "ca-sim-secret"}, unit="API key = API secret", help="Who can log in.", secret=True
    )
    subject: dict[Literal["organization", "locality", "state", "country"], Word] = setting(
        {}, unit="field of a subject = value", help="What the validation policy puts into every subject. Empty: names alone."
    )

    @field_validator("claimed_domains")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.lower() for domain in value)

    @field_validator("subject")
    @classmethod
    def _check_subject(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if name == "country" and not re.fullmatch("[A-Z]{2}", text):
                raise ValueError(f"country = {text!r} is not a code of two letters")
            if len(text) > _MOST.get(name, len(text)):
                raise ValueError(f"{name} has more than {_MOST[name]} characters")
        return value
