"""How much a certificate policy may hold: it is kept with every operation, and its certificate has to travel."""

from collections.abc import Iterable

from certworker.crypto.extensions import SubjectNames
from certworker.errors import BadParameter

MOST_NAMES = 250
MOST_USAGES = 50
MOST_ACTIONS = 10
LONGEST_SUBJECT = 1024
LONGEST_NAME = 2048
LONGEST_TYPE = 255


def check_names_size(names: SubjectNames) -> None:
    """Refuse more names, or longer ones, than a certificate can be expected to hold. Raises BadParameter."""
    everything = (*names.dns_names, *names.emails, *names.upns, *names.uris, *names.ip_addresses)
    check_count("x509_props.sans", everything, MOST_NAMES)
    for name in everything:
        check_length("x509_props.sans", name, LONGEST_NAME)


def check_count(field: str, items: Iterable[object], most: int) -> None:
    """Refuse more than `most` entries. Raises BadParameter with the field's name."""
    if (count := len(list(items))) > most:
        raise BadParameter(f"{field} has {count} entries; at most {most} are allowed.", field)


def check_length(field: str, text: str, most: int) -> None:
    """Refuse a text of more than `most` characters. Raises BadParameter with the field's name."""
    if len(text) > most:
        raise BadParameter(f"{field} has {len(text)} characters in one value; at most {most} are allowed.", field)
