"""Settings of the authority's own keys and certificates, and of what tells of revocations."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ca_sim.setting import DAY, Delay, Seconds, Section, Switch, setting


class AuthoritySettings(Section):
    """[authority]."""

    intermediates: Annotated[int, Field(strict=True, ge=1, le=4)] = setting(
        1, unit="certificates", help="How many stand between root and leaf, when they are made."
    )
    alternate_chains: Annotated[int, Field(strict=True, ge=0, le=3)] = setting(
        1, unit="chains", help="How many older roots cross-sign the root, each of which ends a chain that can be asked for."
    )
    crl_shards: Annotated[int, Field(strict=True, ge=1, le=1000)] = setting(
        1, unit="CRLs", help="Over how many CRLs of each issuer new leaves are spread. 1: one for all."
    )
    crl_interval_seconds: Seconds = setting(DAY, unit="seconds", help="Age at which a CRL of leaves is made anew.")
    crl_lifetime_seconds: Seconds = setting(7 * DAY, unit="seconds", help="From thisUpdate to nextUpdate in CRLs of leaves.")
    crl_at_once: Switch = setting(
        default=True,
        unit="true or false",
        help="Whether a revocation makes the CRL (or delta CRL) anew before its time.",
    )
    delta_crl_seconds: Delay = setting(
        0, unit="seconds", help="Age at which a delta CRL is made anew. 0: there are no delta CRLs."
    )
    arl_lifetime_seconds: Seconds = setting(
        180 * DAY, unit="seconds", help="Time from thisUpdate to nextUpdate in CRLs of intermediates; made anew at half of it."
    )
    ocsp_lifetime_seconds: Seconds = setting(
        4 * DAY, unit="seconds", help="Time from thisUpdate to nextUpdate in the responder's answers."
    )
    ocsp_nonce: Switch = setting(
        default=True, unit="true or false", help="Whether the responder gives a nonce back (RFC 9654)."
    )
    ocsp_archive_seconds: Delay = setting(
        90 * DAY, unit="seconds", help="Time after its end that the responder goes on to tell of a certificate."
    )
    ocsp_signer_seconds: Seconds = setting(
        30 * DAY, unit="seconds", help="Validity of the responder's own certificates; a new one takes over at half of it."
    )
    ct_log: Switch = setting(
        default=False, unit="true or false", help="Whether leaves are logged, and hold the timestamp of the log (RFC 6962)."
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.crl_lifetime_seconds < max(self.crl_interval_seconds, self.delta_crl_seconds):
            raise ValueError("crl_lifetime_seconds is shorter than the time after which a CRL is made anew")
        if 2 * self.ocsp_lifetime_seconds > self.ocsp_signer_seconds:
            raise ValueError("ocsp_signer_seconds is less than twice ocsp_lifetime_seconds: answers outlive who signed them")
        return self
