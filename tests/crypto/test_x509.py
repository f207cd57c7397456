"""CSRs and certificates carry what was asked for, and nothing that nobody asked for."""

from datetime import timedelta
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from certworker.crypto.extensions import KEY_USAGES, SubjectNames, read_names, read_usages, san_extension
from certworker.crypto.keys import fits, generate_key, load_private, public_der
from certworker.crypto.x509 import CertificateRequest, build_csr, read_certificate, self_sign, sign_csr, split_pem, validity
from certworker.errors import BadParameter
from tests.crypto.authorities import BEGIN, END, Authority, a_request, ec_key

Kind = TypeVar("Kind", bound=x509.ExtensionType)
ALL_NAMES = SubjectNames(
    dns_names=("web.example.test", "*.example.test"),
    emails=("ada@example.test",),
    upns=("größe@example.test", "u" * 300 + "@example.test"),
    uris=("spiffe://example.test/web",),
    ip_addresses=("192.0.2.1", "2001:db8::1"),
)


def extension(extensions: x509.Extensions, kind: type[Kind]) -> x509.Extension[Kind]:
    """Find the one extension of a kind."""
    return extensions.get_extension_for_class(kind)


@pytest.mark.parametrize("names", [ALL_NAMES, SubjectNames(dns_names=("a.test",))])
@pytest.mark.parametrize("subject", ["CN=web.example.test,O=Contoso", ""])
def test_a_csr_carries_what_was_asked(subject: str, names: SubjectNames) -> None:
    """Subject, names, usages and constraints are there; the names are critical where the subject is empty."""
    key = generate_key("RSA", 2048, None)
    csr = x509.load_der_x509_csr(build_csr(key, a_request(subject, names=names)))
    assert csr.is_signature_valid
    assert csr.subject.rfc4514_string() == subject
    assert read_names(csr.extensions) == names
    assert read_usages(csr.extensions) == (("digitalSignature", "keyEncipherment"), ("1.3.6.1.5.5.7.3.1",))
    assert extension(csr.extensions, x509.KeyUsage).critical
    assert not extension(csr.extensions, x509.ExtendedKeyUsage).critical
    assert extension(csr.extensions, x509.SubjectAlternativeName).critical is (subject == "")
    constraints = extension(csr.extensions, x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca


def test_a_csr_that_asks_for_little_carries_little() -> None:
    """Without names and usages there is no extension for them."""
    csr = x509.load_der_x509_csr(build_csr(ec_key(), CertificateRequest("CN=x", SubjectNames(), (), ())))
    assert [type(found.value) for found in csr.extensions] == [x509.BasicConstraints]


@pytest.mark.parametrize(
    ("asked", "carried"),
    [
        (("digitalSignature", "keyEncipherment"), ("digitalSignature",)),
        (("keyEncipherment", "dataEncipherment"), ()),
        (("encipherOnly",), ()),
        (("keyAgreement", "encipherOnly"), ("keyAgreement", "encipherOnly")),
    ],
)
def test_an_ec_key_cannot_encipher(asked: tuple[str, ...], carried: tuple[str, ...]) -> None:
    """RFC 8813: an EC certificate has no enciphering bit, and no key usage at all where no bit is left."""
    certificate = x509.load_der_x509_certificate(self_sign(ec_key(), a_request(key_usage=asked), BEGIN, END))
    assert read_usages(certificate.extensions)[0] == carried
    assert any(isinstance(found.value, x509.KeyUsage) for found in certificate.extensions) is bool(carried)


@pytest.mark.parametrize(
    ("kty", "size", "curve", "digest"),
    [
        ("RSA", 2048, None, hashes.SHA256),
        ("EC", None, "P-256", hashes.SHA256),
        ("EC", None, "P-384", hashes.SHA384),
        ("EC", None, "P-521", hashes.SHA512),
        ("EC", None, "P-256K", hashes.SHA256),
    ],
)
def test_a_self_signed_certificate_is_whole(kty: str, size: int | None, curve: str | None, digest: type) -> None:
    """It names its own key twice, has a positive serial of 159 bits or less, and signs itself with a fitting digest."""
    key = generate_key(kty, size, curve)
    der = self_sign(key, a_request(), BEGIN, END)
    certificate = x509.load_der_x509_certificate(der)
    certificate.verify_directly_issued_by(certificate)
    identifier = extension(certificate.extensions, x509.SubjectKeyIdentifier).value.digest
    assert extension(certificate.extensions, x509.AuthorityKeyIdentifier).value.key_identifier == identifier
    assert 0 < certificate.serial_number < 1 << 159
    assert isinstance(certificate.signature_hash_algorithm, digest)
    facts = read_certificate(der)
    assert (facts.subject, facts.issuer, facts.is_authority) == ("CN=web.example.test", "CN=web.example.test", False)
    assert (facts.not_before, facts.not_after) == validity(der) == (BEGIN, END)
    assert facts.public_key == public_der(key)


@pytest.mark.parametrize(
    ("names", "subject"),
    [
        (SubjectNames(dns_names=("web.example.test", "b.test")), "CN=web.example.test"),
        (SubjectNames(emails=("a+b,c@example.test",)), r"CN=a\+b\,c@example.test"),
        (SubjectNames(uris=("https://example.test/" + "a" * 80,)), "CN=https://example.test/" + "a" * 43),
        (SubjectNames(upns=("", "ü" * 40)), "CN=" + "ü" * 32),
        (SubjectNames(upns=("aü" * 40,)), "CN=" + "aü" * 21 + "a"),
    ],
)
def test_a_self_signed_certificate_without_a_subject_is_called_by_its_first_name(names: SubjectNames, subject: str) -> None:
    """RFC 5280 4.1.2.4: an issuer's name is never empty, and a self-signed certificate's subject is its issuer."""
    facts = read_certificate(self_sign(ec_key(), a_request(subject="", names=names), BEGIN, END))
    assert facts.subject == facts.issuer == subject


def test_an_rsa_key_cannot_agree() -> None:
    """RFC 3279 2.3.1: that bit is left out, and those that mean nothing without it."""
    asked = ("digitalSignature", "keyAgreement", "encipherOnly")
    der = self_sign(generate_key("RSA", 2048, None), a_request(key_usage=asked), BEGIN, END)
    assert read_certificate(der).key_usage == ("digitalSignature",)


def greedy_csr(*extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    """Build a CSR that asks for more than a leaf may have."""
    key = load_private(ec_key())
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_an_authority_is_never_issued() -> None:
    """The bits and extensions of an authority in a CSR are left out, whatever else it asks for is kept."""
    authority = Authority("Root")
    every_bit = x509.KeyUsage(**dict.fromkeys(KEY_USAGES.values(), True))
    foreign = x509.SubjectKeyIdentifier(b"x" * 20)
    csr = greedy_csr(
        (x509.BasicConstraints(ca=True, path_length=3), True),
        (every_bit, True),
        (foreign, False),
        (x509.AuthorityKeyIdentifier(b"y" * 20, None, None), False),
        (x509.NameConstraints([x509.DNSName("test")], None), True),
        (x509.SubjectAlternativeName([x509.DNSName("web.test")]), True),
    )
    certificate = x509.load_der_x509_certificate(sign_csr(csr, authority.certificate(), authority.key, BEGIN, END))
    usage = read_usages(certificate.extensions)[0]
    assert not {"keyCertSign", "cRLSign"} & set(usage)
    assert "digitalSignature" in usage
    assert not extension(certificate.extensions, x509.BasicConstraints).value.ca
    assert extension(certificate.extensions, x509.SubjectKeyIdentifier).value != foreign
    assert read_names(certificate.extensions).dns_names == ("web.test",)
    assert not any(isinstance(found.value, x509.NameConstraints) for found in certificate.extensions)
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(authority.certificate()))


def test_a_key_usage_of_nothing_but_an_authority_is_left_out() -> None:
    """What remains of keyCertSign alone is no extension at all."""
    authority = Authority("Root")
    only = x509.KeyUsage(**{**dict.fromkeys(KEY_USAGES.values(), False), "key_cert_sign": True})
    leaf = sign_csr(greedy_csr((only, True)), authority.certificate(), authority.key, BEGIN, END)
    assert read_certificate(leaf).key_usage == ()


def test_a_csr_that_another_key_signed_is_refused() -> None:
    """A CSR proves that its sender has the key."""
    authority = Authority("Root")
    csr = bytearray(build_csr(ec_key(), a_request()))
    csr[-1] ^= 1
    with pytest.raises(BadParameter, match="not signed by its own key"):
        sign_csr(bytes(csr), authority.certificate(), authority.key, BEGIN, END)


@pytest.mark.parametrize("der", [b"", b"garbage", b"\x30\x03\x02\x01\x01"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    """Garbage is told as such."""
    with pytest.raises(BadParameter, match=r"not an X\.509 certificate"):
        read_certificate(der)
    with pytest.raises(BadParameter, match="not a PEM bundle"):
        split_pem(der)


@pytest.mark.parametrize("value", [b"\x16\x01a", b"\x0c\x02\xff\xff", b"\x05\x00"])
def test_a_certificate_with_an_unreadable_name_is_refused(value: bytes) -> None:
    """A certificate of somebody else's may say anything; what cannot be read is BadParameter and nothing else."""
    authority = Authority("Root")
    upn = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), value)
    csr = greedy_csr((x509.SubjectAlternativeName([upn]), True))
    leaf = sign_csr(csr, authority.certificate(), authority.key, BEGIN, BEGIN + timedelta(days=1))
    with pytest.raises(BadParameter, match="cannot be read"):
        read_certificate(leaf)


LABELS = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
HOSTS = st.builds("{}.{}.test".format, LABELS, LABELS)
NAMES = st.builds(
    SubjectNames,
    dns_names=st.lists(HOSTS, max_size=3).map(tuple),
    emails=st.lists(st.builds("{}@{}".format, LABELS, HOSTS), max_size=2).map(tuple),
    upns=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), max_size=3).map(tuple),
    uris=st.lists(HOSTS.map("https://{}/".format), max_size=2).map(tuple),
    ip_addresses=st.lists(st.ip_addresses().map(str), max_size=2).map(tuple),
)


@settings(deadline=None)
@given(NAMES.filter(SubjectNames.any))
def test_all_names_come_back(names: SubjectNames) -> None:
    """Names of every kind, of any length and in any alphabet, survive their way through a certificate's DER."""
    general = san_extension(names)
    value = x509.Extension(x509.SubjectAlternativeName.oid, False, general)  # noqa: FBT003
    again = x509.load_der_x509_csr(greedy_csr((general, False))).extensions
    assert read_names(x509.Extensions([value])) == read_names(again) == names


@pytest.mark.parametrize(
    ("kty", "size", "curve"), [("RSA", 2048, None), ("RSA", 3072, None), ("EC", None, "P-256"), ("EC", None, "P-384")]
)
def test_a_key_fits_its_own_kind_only(kty: str, size: int | None, curve: str | None) -> None:
    """A key of another size or curve is another kind."""
    spki = public_der(generate_key(kty, size, curve))
    kinds = [("RSA", 2048, None), ("RSA", 3072, None), ("EC", None, "P-256"), ("EC", None, "P-384")]
    assert [kind for kind in kinds if fits(spki, *kind)] == [(kty, size, curve)]
