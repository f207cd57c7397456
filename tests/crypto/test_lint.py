"""What is issued, read by a linter of others: pkilint's rules of RFC 5280."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingDescription, ValidationFindingSeverity

from ca_sim.acme.jose import PublicKey
from ca_sim.authority.hierarchy import SigningKey, make_key, open_authority
from ca_sim.csr import SigningRequest
from ca_sim.identifiers import Identifier
from ca_sim.settings import KeyType
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, build_csr, self_sign, sign_csr
from certworker.issuers.local import LocalProvider
from certworker.vault.issuance import Issued
from certworker.vault.lifetime import self_signed_validity
from tests.issuers.journey import NOON, make_request
from tests.issuers.memory import MemoryAccounts
from tests.support.clock import START

KEYS = {
    "rsa": lambda: generate_key("RSA", 2048, None),
    "p256": lambda: generate_key("EC", None, "P-256"),
    "p384": lambda: generate_key("EC", None, "P-384"),
    "p521": lambda: generate_key("EC", None, "P-521"),
    "p256k": lambda: generate_key("EC", None, "P-256K"),
}
NAMES = {
    "none": SubjectNames(),
    "dns": SubjectNames(dns_names=("web.example.test", "*.example.test", "xn--bcher-kva.example.test")),
    "addresses": SubjectNames(ip_addresses=("192.0.2.1", "2001:db8::1")),
    "people": SubjectNames(emails=("ada@example.test",), upns=("ada@example.test", "a" * 150 + "@example.test")),
    "uris": SubjectNames(uris=("https://example.test/path", "spiffe://example.test/workload")),
}
SUBJECTS = {
    "common": "CN=web.example.test",
    "long": "CN=web.example.test, OU=Unit, O=Contoso Ünited, L=Oslo, ST=Oslo, C=NO, STREET=1 Way, POSTALCODE=0150",
    "other": "CN=web, DC=example, DC=test, UID=web, E=ada@example.test, SERIALNUMBER=1, G=Ada, SN=L, T=Countess, DNQ=1",
    "empty": "",
}
SERVER = ("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2")
WRONG = (ValidationFindingSeverity.FATAL, ValidationFindingSeverity.ERROR, ValidationFindingSeverity.WARNING)
NAME_CODES = ("pkix.invalid_domain_name_syntax", "pkix.invalid_uri_syntax")
USAGE = ("digitalSignature", "keyEncipherment")


def lint(der: bytes) -> list[str]:
    """Give what pkilint finds wrong with a DER certificate, one line each."""
    decoding = certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS)
    validators = certificate.create_pkix_certificate_validator_container(
        decoding,
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    results = validators.validate(loader.load_certificate(der, "certificate").root)
    return [
        f"{result.node.path}: {found.finding.severity.name} {found.finding.code} {found.message or ''}".strip()
        for result in results
        for found in result.finding_descriptions
        if is_wrong(found)
    ]


def is_wrong(finding: ValidationFindingDescription) -> bool:
    """Whether a finding counts: a wildcard, `localhost` and a SPIFFE id are names that the linter does not know."""
    disputed = any(name in (finding.message or "") for name in ('"*.', '"localhost"', '"spiffe://'))
    return finding.finding.severity in WRONG and not (disputed and finding.finding.code in NAME_CODES)


def assert_lints(der: bytes) -> None:
    """Fail with what the linter says."""
    assert lint(der) == []


def self_signed(key: bytes, subject: str, names: SubjectNames, usage: tuple[str, ...] = USAGE) -> bytes:
    """Make a self-signed certificate as the vault does."""
    return self_sign(key, CertificateRequest(subject, names, usage, SERVER), *self_signed_validity(START, 12))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_self_signed_certificate_is_clean(key: Callable[[], bytes], names: SubjectNames) -> None:
    """With every kind of key and of names."""
    assert_lints(self_signed(key(), "CN=web.example.test", names))


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_every_subject_is_clean(subject: str) -> None:
    """With many attributes, those of Windows too, and with none at all."""
    names = replace(NAMES["dns"], emails=("ada@example.test",) if "E=" in subject else ())
    assert_lints(self_signed(KEYS["p256"](), subject, names))


@pytest.mark.parametrize("kind", ["dns", "addresses", "people", "uris"])
def test_a_name_alone_is_clean(kind: str) -> None:
    """Without a subject, whatever kind of name stands for it."""
    assert_lints(self_signed(KEYS["p256"](), "", NAMES[kind]))


@pytest.mark.parametrize("usage", [(), ("keyAgreement", "encipherOnly"), ("nonRepudiation", "dataEncipherment")])
def test_every_key_usage_is_clean(usage: tuple[str, ...]) -> None:
    """With no bits, and with bits that need others."""
    assert_lints(self_signed(KEYS["rsa"](), "CN=web", SubjectNames(), usage))


def test_what_the_linter_knows() -> None:
    """A certificate that is wrong is found out, so that the linter is known to look."""
    key = KEYS["p256"]()
    request = CertificateRequest("CN=web, E=ada@example.test", SubjectNames(), ("keyCertSign",), SERVER)
    found = lint(self_sign(key, request, *self_signed_validity(START, 12)))
    assert [line.split()[2] for line in found] == [
        "pkix.subject_email_address_not_in_san",
        "pkix.ee_certificate_keycertsign_keyusage_set",
    ]


def test_the_local_root_and_its_leaf_are_clean() -> None:
    """The CA of the deployment's own, and the server's certificate that it issues."""
    provider = LocalProvider(MemoryAccounts(), timedelta(days=1))
    issued = provider.step(make_request("", "server.example.test", "*.vault.example.test"), None, NOON)
    assert isinstance(issued, Issued)
    for der in issued.chain:
        assert_lints(der)


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_what_is_signed_for_a_csr_is_clean(names: SubjectNames) -> None:
    """A CSR of the vault's, signed by an authority of its own making."""
    root_key, key = KEYS["p384"](), KEYS["rsa"]()
    span = self_signed_validity(START, 12)
    request = CertificateRequest("CN=Root", SubjectNames(), ("keyCertSign", "cRLSign"), ())
    root = self_sign(root_key, request, *span, authority=True)
    assert_lints(root)
    csr = build_csr(key, CertificateRequest("CN=web.example.test", names, USAGE, SERVER))
    assert_lints(sign_csr(csr, root, root_key, *span))


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_what_the_simulated_authority_issues_is_clean(key_type: KeyType) -> None:
    """Root, intermediate, leaves with and without a common name, and the server's own certificate."""
    authority = open_authority(None, key_type, START)
    key: SigningKey = make_key(key_type)
    public_key = key.public_key()
    assert isinstance(public_key, PublicKey)
    identifiers = (Identifier("dns", "web.example.test"), Identifier("dns", "*.example.test"), Identifier("ip", "192.0.2.1"))
    leaves = [
        authority.issue(SigningRequest(public_key, common_name), identifiers, validity=timedelta(days=90), at=START)
        for common_name in (None, "web.example.test")
    ]
    server = authority.issue_server(key, ("localhost", "127.0.0.1", "::1"), START)
    for issued in (authority.root.certificate, authority.intermediate.certificate, server, *leaves):
        assert_lints(issued.public_bytes(Encoding.DER))
