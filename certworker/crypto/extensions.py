"""The extensions that a policy speaks of: alternative names, key usage, extended key usage."""

import ipaddress
from dataclasses import dataclass
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from certworker.crypto.keys import PublicKey

UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""Microsoft's user principal name, an otherName that holds a UTF8String."""

_UTF8_TAG = 0x0C
_SHORT_FORM = 0x7F
"""The longest length that DER writes in one byte."""

KEY_USAGES = MappingProxyType(
    {
        "digitalSignature": "digital_signature",
        "nonRepudiation": "content_commitment",
        "keyEncipherment": "key_encipherment",
        "dataEncipherment": "data_encipherment",
        "keyAgreement": "key_agreement",
        "keyCertSign": "key_cert_sign",
        "cRLSign": "crl_sign",
        "encipherOnly": "encipher_only",
        "decipherOnly": "decipher_only",
    }
)
"""Key Vault's words for the bits of RFC 5280 section 4.2.1.3, and cryptography's."""


@dataclass(frozen=True, slots=True)
class SubjectNames:
    """Subject alternative names by kind, each in its text form."""

    dns_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    upns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()

    def any(self) -> bool:
        """Whether there is a name at all."""
        return bool(self.dns_names or self.emails or self.upns or self.uris or self.ip_addresses)

    def first(self) -> str:
        """Give the name that stands for all of them; empty without names."""
        return next(filter(None, (*self.dns_names, *self.emails, *self.upns, *self.uris, *self.ip_addresses)), "")


def san_extension(names: SubjectNames) -> x509.SubjectAlternativeName:
    """Build the subjectAltName extension (RFC 5280 section 4.2.1.6)."""
    general: list[x509.GeneralName] = [x509.DNSName(name) for name in names.dns_names]
    general += [x509.RFC822Name(address) for address in names.emails]
    general += [x509.OtherName(UPN, _utf8_string(upn)) for upn in names.upns]
    general += [x509.UniformResourceIdentifier(uri) for uri in names.uris]
    general += [x509.IPAddress(ipaddress.ip_address(address)) for address in names.ip_addresses]
    return x509.SubjectAlternativeName(general)


def read_names(extensions: x509.Extensions) -> SubjectNames:
    """Read the alternative names out of a certificate's or a CSR's extensions."""
    try:
        san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return SubjectNames()
    upns = (other.value for other in san.get_values_for_type(x509.OtherName) if other.type_id == UPN)
    return SubjectNames(
        dns_names=tuple(san.get_values_for_type(x509.DNSName)),
        emails=tuple(san.get_values_for_type(x509.RFC822Name)),
        upns=tuple(_read_utf8_string(value) for value in upns),
        uris=tuple(san.get_values_for_type(x509.UniformResourceIdentifier)),
        ip_addresses=tuple(str(address) for address in san.get_values_for_type(x509.IPAddress)),
    )


def key_usage_extension(words: tuple[str, ...], key: PublicKey) -> x509.KeyUsage:
    """Build the keyUsage extension for `key` from Key Vault's words.

    An EC key cannot encipher a key (RFC 8813 section 3), so that word, which is among the policy's defaults, is left out;
    and an RSA key cannot agree on one (RFC 3279 section 2.3.1).
    """
    bits = {attribute: word in words for word, attribute in KEY_USAGES.items()}
    if isinstance(key, ec.EllipticCurvePublicKey):
        bits["key_encipherment"] = bits["data_encipherment"] = False
    else:
        bits["key_agreement"] = False
    if not bits["key_agreement"]:
        bits["encipher_only"] = bits["decipher_only"] = False
    return x509.KeyUsage(**bits)


def is_oid(text: str) -> bool:
    """Whether `text` is a dotted object identifier that DER can hold."""
    try:
        return ObjectIdentifier(text).dotted_string == text
    except ValueError:
        return False


def is_email(text: str) -> bool:
    """Whether `text` is an e-mail address that a certificate can hold: local@domain in ASCII, and nothing around it."""
    if text.count("@") != 1 or text.startswith("@") or not text.isprintable() or set(text) & set(" <>,;"):
        return False
    try:
        return x509.RFC822Name(text).value == text
    except ValueError:
        return False


def leaf_key_usage(usage: x509.KeyUsage) -> x509.KeyUsage:
    """Take the bits of an authority out of a key usage."""
    bits = {attribute: _bit(usage, attribute) for attribute in KEY_USAGES.values()}
    return x509.KeyUsage(**{**bits, "key_cert_sign": False, "crl_sign": False})


def marks_any(extension: x509.ExtensionType) -> bool:
    """Whether an extension is a key usage with at least one bit."""
    return isinstance(extension, x509.KeyUsage) and any(_bit(extension, attribute) for attribute in KEY_USAGES.values())


def read_usages(extensions: x509.Extensions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read (key usage in Key Vault's words, extended key usage as dotted OIDs) out of extensions."""
    key_usage: tuple[str, ...] = ()
    ekus: tuple[str, ...] = ()
    for extension in extensions:
        if isinstance(extension.value, x509.KeyUsage):
            key_usage = tuple(word for word, attribute in KEY_USAGES.items() if _bit(extension.value, attribute))
        elif extension.oid == ExtensionOID.EXTENDED_KEY_USAGE and isinstance(extension.value, x509.ExtendedKeyUsage):
            ekus = tuple(oid.dotted_string for oid in extension.value)
    return key_usage, ekus


def _bit(usage: x509.KeyUsage, attribute: str) -> bool:
    # encipherOnly and decipherOnly have no meaning, and may not be read, without keyAgreement
    if attribute in ("encipher_only", "decipher_only") and not usage.key_agreement:
        return False
    return bool(getattr(usage, attribute))


def _utf8_string(text: str) -> bytes:
    """Encode a DER UTF8String; cryptography leaves the value of an otherName to us."""
    data = text.encode()
    if len(data) <= _SHORT_FORM:
        return bytes([_UTF8_TAG, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes([_UTF8_TAG, 0x80 | len(length)]) + length + data


def _read_utf8_string(der: bytes) -> str:
    if len(der) < 2 or der[0] != _UTF8_TAG:  # noqa: PLR2004
        raise ValueError("a user principal name that is no UTF8String")
    header = 2 if der[1] <= _SHORT_FORM else 2 + (der[1] & _SHORT_FORM)
    return der[header:].decode()
