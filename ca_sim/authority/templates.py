"""What the certificates of the authority hold (RFC 5280, and the baseline requirements for TLS server certificates)."""

import ipaddress
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    CertificatePoliciesOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

from ca_sim.authority.keys import SigningKey, VerifyingKey, digest_for
from ca_sim.authority.links import Links, Shard
from ca_sim.authority.profiles import LeafRules
from ca_sim.authority.signers import Signer
from ca_sim.identifiers import Identifier

DOMAIN_VALIDATED = ObjectIdentifier("2.23.140.1.2.1")
ORGANIZATION_VALIDATED = ObjectIdentifier("2.23.140.1.2.2")
ANY_POLICY = CertificatePoliciesOID.ANY_POLICY
PURPOSES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH.dotted_string,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string,
}
COUNTRY = "XX"
"""The code that stands for no country in particular (baseline requirements, section 7.1.2.10.2)."""


class Extend(Protocol):
    """Adds the last extensions to a leaf that is complete but for them."""

    def __call__(self, builder: x509.CertificateBuilder, issuer: Signer) -> x509.CertificateBuilder:
        """Give the builder with more extensions."""


def ca_name(role: str, key: VerifyingKey) -> x509.Name:
    """Name a certificate of the authority; part of the key's digest tells those of two state directories apart."""
    mark = x509.SubjectKeyIdentifier.from_public_key(key).digest.hex()[:6]
    parts = (
        (NameOID.COUNTRY_NAME, COUNTRY),
        (NameOID.ORGANIZATION_NAME, "ca-sim"),
        (NameOID.COMMON_NAME, f"ca-sim {role} {mark}"),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def ca_template(name: x509.Name, key: VerifyingKey, path_length: int | None) -> x509.CertificateBuilder:
    """Begin a certificate that can sign others."""
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def intermediate_template(name: x509.Name, key: VerifyingKey, path_length: int) -> x509.CertificateBuilder:
    """Begin a certificate that signs TLS certificates, itself or by others below it."""
    return _for_tls(ca_template(name, key, path_length))


def cross_template(certificate: x509.Certificate, key: VerifyingKey) -> x509.CertificateBuilder:
    """Begin a second certificate for the name and the key of a root."""
    return _for_tls(ca_template(certificate.subject, key, None))


def leaf_template(
    key: VerifyingKey, subject: x509.Name, identifiers: tuple[Identifier, ...], usages: tuple[str, ...], rules: LeafRules
) -> x509.CertificateBuilder:
    """Begin a leaf; `usages` are dotted numbers, none for those of the rules."""
    usages = usages or tuple(PURPOSES[word] for word in rules.extended_key_usages)
    organized = bool(subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    names = x509.SubjectAlternativeName([_general_name(identifier) for identifier in identifiers])
    encipher = rules.key_encipherment and isinstance(key, rsa.RSAPublicKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign=True, encipher=encipher), critical=True)
        .add_extension(_purposes(usages), critical=False)
        .add_extension(names, critical=not len(subject))  # RFC 5280 section 4.2.1.6: critical without a subject
    )
    if PURPOSES["serverAuth"] in usages:  # the policies of the baseline requirements are for servers alone
        builder = builder.add_extension(_policy(ORGANIZATION_VALIDATED if organized else DOMAIN_VALIDATED), critical=False)
    if rules.key_identifier:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    if rules.must_staple:  # RFC 7633
        builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
    return builder


def responder_template(name: x509.Name, key: VerifyingKey) -> x509.CertificateBuilder:
    """Begin the certificate of a delegated responder (RFC 6960 section 4.2.2.2)."""
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .add_extension(_key_usage(sign=True), critical=True)
        .add_extension(_purposes((ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string,)), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def issued_by(builder: x509.CertificateBuilder, issuer: Signer) -> x509.CertificateBuilder:
    """Name the issuer."""
    identifier = x509.AuthorityKeyIdentifier(issuer.key_identifier, None, None)
    return builder.issuer_name(issuer.certificate.subject).add_extension(identifier, critical=False)


def linked(
    builder: x509.CertificateBuilder, links: Links, issuer: Signer, *, ocsp: bool, crl: bool = True, shard: Shard | None = None
) -> x509.CertificateBuilder:
    """Point to the issuer's certificate, the responder where `ocsp` says so, and the CRL."""
    access = [(AuthorityInformationAccessOID.OCSP, links.ocsp)] if ocsp else []
    access.append((AuthorityInformationAccessOID.CA_ISSUERS, links.issuer(issuer.id)))
    described = [x509.AccessDescription(oid, x509.UniformResourceIdentifier(url)) for oid, url in access]
    builder = builder.add_extension(x509.AuthorityInformationAccess(described), critical=False)
    if not crl:
        return builder
    points = x509.CRLDistributionPoints([distribution_point(links.crl(issuer.id, shard))])
    return builder.add_extension(points, critical=False)


def distribution_point(url: str) -> x509.DistributionPoint:
    """Make the distribution point that is a URL."""
    return x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)


def signed(
    builder: x509.CertificateBuilder, key: SigningKey, start: datetime, end: datetime, serial: int | None = None
) -> x509.Certificate:
    """Sign what is complete; without a serial number it gets one from the operating system."""
    dated = builder.not_valid_before(start).not_valid_after(end)
    return dated.serial_number(serial or x509.random_serial_number()).sign(key, digest_for(key))


def _for_tls(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    usages = _purposes(tuple(PURPOSES.values()))
    return builder.add_extension(usages, critical=False).add_extension(_policy(ANY_POLICY), critical=False)


def _purposes(usages: tuple[str, ...]) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ObjectIdentifier(usage) for usage in usages])


def _policy(policy: ObjectIdentifier) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(policy, None)])


def _key_usage(*, sign: bool = False, encipher: bool = False, ca: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=encipher,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(identifier: Identifier) -> x509.GeneralName:
    if identifier.type == "ip":
        return x509.IPAddress(ipaddress.ip_address(identifier.value))
    return x509.DNSName(identifier.value)
