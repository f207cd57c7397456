"""Distinguished names, in the forms that people write: RFC 4514, and the looser one of Windows and Azure."""

import re
from types import MappingProxyType

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from certworker.errors import BadParameter

_TYPES = MappingProxyType(
    {
        "CN": NameOID.COMMON_NAME,
        "L": NameOID.LOCALITY_NAME,
        "ST": NameOID.STATE_OR_PROVINCE_NAME,
        "S": NameOID.STATE_OR_PROVINCE_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "C": NameOID.COUNTRY_NAME,
        "STREET": NameOID.STREET_ADDRESS,
        "DC": NameOID.DOMAIN_COMPONENT,
        "UID": NameOID.USER_ID,
        "E": NameOID.EMAIL_ADDRESS,
        "EMAIL": NameOID.EMAIL_ADDRESS,
        "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
        "SERIALNUMBER": NameOID.SERIAL_NUMBER,
        "G": NameOID.GIVEN_NAME,
        "GN": NameOID.GIVEN_NAME,
        "GIVENNAME": NameOID.GIVEN_NAME,
        "SN": NameOID.SURNAME,
        "I": NameOID.INITIALS,
        "INITIALS": NameOID.INITIALS,
        "T": NameOID.TITLE,
        "TITLE": NameOID.TITLE,
        "POSTALCODE": NameOID.POSTAL_CODE,
        "DNQ": NameOID.DN_QUALIFIER,
        "DNQUALIFIER": NameOID.DN_QUALIFIER,
    }
)
"""The short names of RFC 4514 and RFC 4519, and those that Windows and Azure use beside them. Any other is a dotted OID."""

_LONGEST_COMMON_NAME = 64  # RFC 5280 appendix A.1, ub-common-name; cryptography counts bytes
_ASCII_ONLY = (NameOID.COUNTRY_NAME, NameOID.DOMAIN_COMPONENT, NameOID.EMAIL_ADDRESS)

_ATTRIBUTE = re.compile(
    r"""
    \s* (?P<type> [A-Za-z][A-Za-z\d-]* | (?:OID\.)?\d+(?:\.\d+)+ ) \s*
    = \s* (?: "(?P<quoted> (?: [^"\\] | \\. | "" )* )" | (?P<plain> (?: \\. | [^\\,;+"\s] | \s+(?=[^\s,;+"]) )* ) ) \s*
    (?P<end> [,;+] | \Z )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,
)


def parse_subject(text: str) -> x509.Name:
    """Read a distinguished name, the leaf's own attribute first (`CN=web.example.test, O=Contoso`).

    Spaces around names and values do not count, types are read without regard to case, a value may stand in quotation marks,
    and ';' parts as ',' does. Raises BadParameter.
    """
    if not text:
        return x509.Name([])
    try:
        name = x509.Name.from_rfc4514_string(_plain_form(text))
        _check_characters(name)
    except (ValueError, TypeError) as error:
        message = f"x509_props.subject is not a distinguished name such as 'CN=www.example.com, O=Example': {error}."
        raise BadParameter(message.replace(": .", "."), "x509_props.subject") from error
    return name


def common_name(name: str) -> x509.Name:
    """Make a distinguished name that has one common name, cut to what it can hold; empty for no name."""
    cut = name.encode()[:_LONGEST_COMMON_NAME].decode(errors="ignore")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cut)] if cut else [])


def common_names(text: str) -> tuple[str, ...]:
    """Give the common names in a distinguished name, in lower case. Raises BadParameter."""
    found = parse_subject(text).get_attributes_for_oid(NameOID.COMMON_NAME)
    return tuple(str(attribute.value).lower() for attribute in found)


def check_subject(text: str) -> None:
    """Refuse what is not a distinguished name. Raises BadParameter."""
    parse_subject(text)


def _plain_form(text: str) -> str:
    """Write a name as RFC 4514 has it, with dotted OIDs for types. Raises ValueError."""
    parts, at, end = [], 0, ","
    while end:
        found = _ATTRIBUTE.match(text, at)
        if found is None:
            raise ValueError(f"it cannot be read from {text[at : at + 40]!r} on")
        at, end = found.end(), found["end"]
        value = found["plain"] if found["quoted"] is None else _unquoted(found["quoted"])
        parts.append(f"{_oid(found['type'])}={value}{',' if end == ';' else end}")
    return "".join(parts)


def _oid(word: str) -> str:
    known = _TYPES.get(word.upper())
    if known is None and word[0].isalpha() and not word.upper().startswith("OID."):
        raise ValueError(f"the attribute type {word} has no short name here; write its dotted OID")
    return ObjectIdentifier(known.dotted_string if known else word.upper().removeprefix("OID.")).dotted_string


def _unquoted(value: str) -> str:
    """Write the inside of quotation marks without them: what is special gets a backslash."""
    value = re.sub(r'\\(["\\])|""', lambda pair: pair[1] or '"', value)
    escaped = re.sub(r'([\\"+,;<>=])', r"\\\1", value)
    return re.sub(r"^[ #]|(?<=.) $", lambda edge: "\\" + edge[0], escaped)


def _check_characters(name: x509.Name) -> None:
    for attribute in name:
        if not attribute.value:
            raise ValueError(f"{attribute.rfc4514_attribute_name} is empty")
        if attribute.oid in _ASCII_ONLY and not str(attribute.value).isascii():
            raise ValueError(f"{attribute.rfc4514_attribute_name} is in ASCII")
