"""Request targets as clients really send them, made plain: one spelling for each path, verb and query key."""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote_to_bytes

from certworker.errors import BadParameter

OWN = "certworker"
"""What the paths begin with that Key Vault does not have."""
COLLECTIONS = frozenset(
    {OWN, "certificates", "secrets", "keys", "deletedcertificates", "deletedsecrets", "deletedkeys", "rng", "storage"}
)
_FIXED_SECOND = frozenset({"issuers", "contacts", "restore"})
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"})
_PLAIN = re.compile(rb"(?:/[0-9A-Za-z_-]+)+")
"""Most paths: nothing in them has to be decoded or could be wrong."""
_LONGEST_PATH = 2048
_MOST_QUERY_FIELDS = 32


def clean_path(raw_path: bytes) -> str:
    """Make a path plain: no doubled or trailing slashes, fixed words and versions in lower case, names as they came.

    Every segment is decoded by itself, so an encoded slash cannot move a border. Raises BadParameter for what no client means.
    """
    if len(raw_path) > _LONGEST_PATH:
        raise BadParameter(f"The request URI is longer than {_LONGEST_PATH} bytes.")
    if _PLAIN.fullmatch(raw_path):
        segments = raw_path.decode("ascii").split("/")[1:]
    else:
        segments = [_decode(segment) for segment in raw_path.split(b"/") if segment]
    if segments and segments[0].lower() in COLLECTIONS:
        segments = _fold(segments)
    return "/" + "/".join(segments)


def _decode(segment: bytes) -> str:
    try:
        text = (unquote_to_bytes(segment) if b"%" in segment else segment).decode()
    except UnicodeDecodeError:
        raise BadParameter("The request URI is not UTF-8.") from None
    if text in {".", ".."} or not text.isprintable() or "/" in text or "\\" in text:
        raise BadParameter("The request URI contains an invalid name: with a slash, a control character or only dots.")
    return text


def _fold(segments: Sequence[str]) -> list[str]:
    # certificates/NAME/pending/merge, certificates/issuers/NAME, keys/NAME/VERSION/wrapKey
    if segments[0].lower() == OWN:  # certworker/v1/certificates/NAME/renew
        return [segment if place == 3 else segment.lower() for place, segment in enumerate(segments)]  # noqa: PLR2004
    first, second = segments[0].lower(), segments[1].lower() if len(segments) > 1 else ""
    if second in _FIXED_SECOND and first == "certificates":
        return [first, second, *segments[2:]]
    return [first, *segments[1:2], *(segment.lower() for segment in segments[2:])]


def method_of(method: str, override: str | None) -> str:
    """Tell the verb that is meant: `X-HTTP-METHOD` goes before the request line. Raises BadParameter."""
    if override is None:
        return method
    meant = override.strip().upper()
    if meant not in _METHODS:
        raise BadParameter(f"X-HTTP-METHOD has the value {override[:20]!r}: it is one of {', '.join(sorted(_METHODS))}.")
    return meant


def query_of(query: bytes) -> Mapping[str, str]:
    """Read a query string: keys are decoded and compared without case, the first of several counts. Raises BadParameter."""
    if query.replace(b"-", b"").replace(b".", b"").replace(b"=", b"", 1).isalnum():
        name, _, value = query.decode("ascii").partition("=")  # most queries: api-version alone
        return MappingProxyType({name.lower(): value})
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_QUERY_FIELDS)
    except ValueError:
        message = f"The query cannot be read: it is percent-encoded UTF-8, {_MOST_QUERY_FIELDS} fields at most."
        raise BadParameter(message) from None
    return MappingProxyType({key.lower(): value for key, value in reversed(pairs)})


def write_skip_token(after: str) -> str:
    """Write after what a list goes on, as `$skiptoken` has it: clients take it for opaque."""
    return urlsafe_b64encode(after.encode()).rstrip(b"=").decode()


def read_skip_token(token: str) -> str | None:
    """Read it back; none for what was not given out here."""
    try:
        after = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
    return after if after and after.isprintable() else None
