"""What the authority signs, read by a linter of others: pkilint's rules of RFC 5280, RFC 6960 and the baseline requirements."""

from collections.abc import Iterable
from datetime import timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from pkilint import finding_filter, loader, pkix
from pkilint.cabf import cabf_crl, serverauth
from pkilint.cabf.serverauth.serverauth_constants import CertificateType
from pkilint.pkix import certificate, crl, extension, name
from pkilint.pkix import ocsp as lint_ocsp
from pkilint.validation import ValidationFindingSeverity, ValidationResult, ValidatorContainer

from ca_sim.authority.hierarchy import Authority, open_authority
from ca_sim.authority.keys import make_key
from ca_sim.authority.profiles import LeafRules
from ca_sim.authority.settings import AuthoritySettings
from ca_sim.authority.subject import NOBODY, Subject
from ca_sim.csr import SigningRequest
from ca_sim.identifiers import Identifier
from ca_sim.settings import KeyType
from tests.ca_sim.issued import access_urls, bench, crl_url, request_for
from tests.support.clock import START

WRONG = (ValidationFindingSeverity.FATAL, ValidationFindingSeverity.ERROR, ValidationFindingSeverity.WARNING)
BASE = "http://ca.example.com"
STRICT = {"common_name": "never", "key_encipherment": False, "key_identifier": False, "extended_key_usages": ["serverAuth"]}
CRL_OF = {"CRL": crl.CertificateRevocationListType.CRL, "ARL": crl.CertificateRevocationListType.ARL}
# What only a stricter profile avoids: the requirements advise against it, and subscribers ask for it.
TOLERATED = {
    "cabf.serverauth.dv.common_name_attribute_present",
    "cabf.serverauth.ov.common_name_attribute_present",
    "cabf.serverauth.subscriber.subject_key_identifier_extension_present",
    "cabf.serverauth.subscriber_rsa_digitalsignature_and_keyencipherment_present",
}
NEW_ALGORITHM = {
    "cabf.serverauth.prohibited_signature_algorithm_encoding",
    "cabf.serverauth.prohibited_subject_public_key_algorithm_encoding",
}
"""What the linter says of ML-DSA, which the baseline requirements do not allow yet."""


@cache
def validators_for(kind: CertificateType) -> ValidatorContainer:
    """Make the rules for a kind of certificates, which takes most of a second."""
    return certificate.create_pkix_certificate_validator_container(
        serverauth.create_decoding_validators(), serverauth.create_validators(kind)
    )


def wrong(results: Iterable[ValidationResult]) -> set[str]:
    """Give the codes of what is wrong."""
    return {
        found.finding.code for result in results for found in result.finding_descriptions if found.finding.severity in WRONG
    }


def lint(found: x509.Certificate, kind: CertificateType | None = None) -> set[str]:
    """Give what is wrong with a certificate by the baseline requirements."""
    document = loader.load_certificate(found.public_bytes(Encoding.DER), "certificate")
    kind = kind or serverauth.determine_certificate_type(document)
    filters = serverauth.create_serverauth_finding_filters(kind)
    results, _ = finding_filter.filter_results(filters, validators_for(kind).validate(document.root))
    return wrong(results)


def lint_crl(der: bytes, kind: str) -> set[str]:
    """Give what is wrong with a CRL (of leaves) or an ARL (of intermediates) by the baseline requirements."""
    validity = crl.create_validity_validator_container([cabf_crl.create_validity_period_validator(CRL_OF[kind])])
    validators = crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            validity,
            crl.create_extensions_validator_container([]),
            cabf_crl.CabfCrlReasonCodeAllowlistValidator(CRL_OF[kind]),
        ],
    )
    return wrong(validators.validate(loader.load_crl(der, "crl").root))


def lint_answer(der: bytes) -> set[str]:
    """Give what is wrong with an answer of the responder."""
    validators = lint_ocsp.create_pkix_ocsp_response_validator_container(
        [
            lint_ocsp.create_response_decoder(),
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [],
    )
    return wrong(validators.validate(loader.load_ocsp_response(der, "answer").root))


def leaf(authority: Authority, rules: LeafRules, key_type: KeyType = "ec-p256", subject: Subject = NOBODY) -> x509.Certificate:
    """Issue for two names."""
    request = SigningRequest(make_key(key_type).public_key(), "www.example.com")  # type: ignore[arg-type]  # RSA or EC
    names = (Identifier("dns", "www.example.com"), Identifier("dns", "*.example.org"))
    return authority.issue(request, names, validity=timedelta(days=90), at=START, rules=rules, subject=subject)


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_certificates_of_the_authority_are_clean(key_type: KeyType) -> None:
    """Roots, intermediates of both levels, older roots and cross-certificates."""
    settings = AuthoritySettings(intermediates=2, alternate_chains=2)
    authority = open_authority(None, key_type, START, settings=settings, base=BASE)
    chains = authority.chains(leaf(authority, LeafRules()))
    authority.rotate_intermediate(START)
    crosses = [x509.load_pem_x509_certificates(chain.encode())[-1] for chain in chains[1:]]
    signers = [signer.certificate for signer in authority.signers()]
    assert len(signers) == 6
    for found in signers:
        assert lint(found) == set()
    for cross in crosses:
        assert lint(cross, CertificateType.INTERNAL_CROSS_CA) == set()


@pytest.mark.parametrize("issuer", ["ec", "rsa"])
@pytest.mark.parametrize("key_type", ["ec-p256", "rsa-2048"])
def test_leaves_are_clean(issuer: str, key_type: KeyType) -> None:
    """By a strict profile without a word; by the others but for what they ask for."""
    authority = open_authority(None, "ec-p256", START, base=BASE)
    strict = LeafRules.model_validate(STRICT | {"issuer": issuer})
    assert lint(leaf(authority, strict, key_type)) == set()
    stapled = LeafRules.model_validate(STRICT | {"issuer": issuer, "must_staple": True})
    assert lint(leaf(authority, stapled, key_type)) == {"cabf.serverauth.subscriber.unknown_extension_present"}
    usual = LeafRules.model_validate({"issuer": issuer})
    assert lint(leaf(authority, usual, key_type)) <= TOLERATED
    organized = leaf(authority, usual, key_type, Subject(organization="Contoso", locality="Oslo", country="NO"))
    assert lint(organized, CertificateType.OV_FINAL_CERTIFICATE) <= TOLERATED


def test_ml_dsa_is_clean_but_for_its_algorithm() -> None:
    """The linter knows no rules for it yet, and the baseline requirements prohibit what they do not name."""
    authority = open_authority(None, "ec-p256", START, base=BASE)
    found = leaf(authority, LeafRules.model_validate(STRICT | {"issuer": "ml-dsa"}))
    assert lint(found) == {"cabf.serverauth.prohibited_signature_algorithm_encoding"}
    issuer = authority.issuer_of(found)
    assert issuer is not None
    assert lint(issuer.certificate) == NEW_ALGORITHM


@pytest.mark.parametrize("issuer", ["ec", "rsa", "ml-dsa"])
def test_what_tells_of_revocations_is_clean(issuer: str) -> None:
    """CRLs full, of a shard and delta, that of the root, and answers with the certificate of the responder."""
    profiles: dict[str, object] = {"strict": STRICT | {"validity_seconds": 864_000, "issuer": issuer}}
    with bench(profiles=profiles, crl_shards=2, delta_crl_seconds=600, ct_log=True) as world:
        issued, other = world.issue("strict"), world.issue("strict")
        world.revoke(issued, 0)
        world.crl(crl_url(issued.leaf))
        world.revoke(other, 1)
        world.house.publication.revocations.revoke_own(issued.issuer, 2)
        for url in {crl_url(issued.leaf), crl_url(other.leaf)}:
            for form in (url, f"{url}/delta", url.rpartition("/")[0]):
                assert lint_crl(world.get(form).body, "CRL") == set()
        assert lint_crl(world.get(crl_url(issued.issuer)).body, "ARL") == set()
        for asked in (issued, other):
            answer = world.ask_bytes(request_for(asked.leaf, asked.issuer, nonce=b"n" * 32)).body
            assert lint_answer(answer) == set()
        (responder,) = ocsp.load_der_ocsp_response(answer).certificates
        assert lint(responder, CertificateType.OCSP_RESPONDER) - NEW_ALGORITHM == set()
        assert access_urls(issued.leaf).keys() == {"issuer", "ocsp"}
        internal = {"cabf.internal_domain_name"}  # the public server's name in process
        assert lint(issued.leaf) - NEW_ALGORITHM == internal


def test_the_linter_looks() -> None:
    """What is wrong is found out."""
    authority = open_authority(None, "ec-p256", START, base=BASE)
    assert "cabf.serverauth.dv.common_name_attribute_present" in lint(leaf(authority, LeafRules()))
    with bench(crl_lifetime_seconds=11 * 86_400) as world:
        issued = world.issue()
        world.house.certificates.revoke(issued.record.serial, 6, frozenset({6}))
        found = lint_crl(world.get(crl_url(issued.leaf)).body, "CRL")
        assert found == {"cabf.crl_prohibited_reason_code", "cabf.crl_invalid_validity_period"}
