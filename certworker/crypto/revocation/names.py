"""When two names are the same (RFC 5280 section 7.1): neither case, nor spaces, nor the kind of string make a difference.

URIs are compared as they are: a distribution point has to be told byte for byte.
"""

from collections.abc import Hashable, Iterable

from cryptography import x509

NameKey = tuple[Hashable, ...]
_LONGEST = 200
"""How many characters of a name are shown."""


def shown(name: x509.Name) -> str:
    """Write a name for people (RFC 4514): it stands in logs and mails, so it has an end, and nothing in it is not printable."""
    text = name.rfc4514_string()[:_LONGEST]
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def name_key(name: x509.Name) -> NameKey:
    """Give what is equal for equal distinguished names."""
    return tuple(relative_key(part) for part in name.rdns)


def relative_key(part: x509.RelativeDistinguishedName) -> Hashable:
    """Give what is equal for equal relative distinguished names, in whatever order their attributes are."""
    return frozenset((attribute.oid.dotted_string, _folded(attribute.value)) for attribute in part)


def general_keys(names: Iterable[x509.GeneralName]) -> frozenset[Hashable]:
    """Give what is equal for equal general names."""
    return frozenset(_general_key(name) for name in names)


def directory_key(name: NameKey) -> Hashable:
    """Give the key of a directory name."""
    return (x509.DirectoryName, name)


def directory_names(names: Iterable[x509.GeneralName]) -> frozenset[NameKey]:
    """Give the keys of the directory names among general names."""
    return frozenset(name_key(name.value) for name in names if isinstance(name, x509.DirectoryName))


def _general_key(name: x509.GeneralName) -> Hashable:
    if isinstance(name, x509.DirectoryName):
        return directory_key(name_key(name.value))
    if isinstance(name, x509.OtherName):
        return (x509.OtherName, name.type_id.dotted_string, name.value)
    return (type(name), name.value)


def _folded(value: str | bytes) -> str | bytes:
    return " ".join(value.casefold().split()) if isinstance(value, str) else value
