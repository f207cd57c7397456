"""What the directory's texts may be. Each rule gives back what it was given, and raises BadParameter."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from certworker.errors import BadParameter

_USER_NAME: Final = re.compile(r"[A-Za-z0-9'._\-!#^~$+&]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_NICKNAME: Final = re.compile(r"[!-~]{1,64}")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST_NAME, _LONGEST_TEXT, _MOST_URIS, _LONGEST_URI = 256, 1024, 256, 255
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def is_guid(text: str) -> bool:
    """Tell whether a text is an object id, or a client id."""
    return _GUID.fullmatch(text) is not None


def check_display_name(name: str) -> str:
    """Check the name that people read."""
    return check_text(name, "displayName", _LONGEST_NAME, required=True)


def check_text(text: str, field: str, longest: int = _LONGEST_TEXT, *, required: bool = False) -> str:
    """Check a text of one line."""
    if not text.isprintable() or len(text) > longest or (required and not text.strip()):
        raise BadParameter(f"{field} is a text of one line, of {int(required)} to {longest} characters.", field)
    return text


def check_user_name(name: str) -> str:
    """Check a user principal name: a name, an at sign and a domain."""
    if not _USER_NAME.fullmatch(name):
        message = f"The user principal name '{name[:80]}' is invalid: it is NAME@DOMAIN, with letters, digits and '._-!#^~$+&."
        raise BadParameter(message, "userPrincipalName")
    return name


def check_nickname(name: str) -> str:
    """Check a mail nickname."""
    if name and not (_NICKNAME.fullmatch(name) and not set(name) & set('@()\\[]";:<>,')):
        raise BadParameter('mailNickname has 1 to 64 ASCII characters, without blanks and @()\\[]";:<>,.', "mailNickname")
    return name


def check_identifier_uris(uris: Iterable[str]) -> tuple[str, ...]:
    """Check the URIs that tokens for an application are asked by: absolute, without a fragment, each once."""
    found = tuple(dict.fromkeys(uris))
    for uri in found:
        parts = urlsplit(uri) if uri.isascii() and uri.isprintable() else None
        named = parts is not None and parts.scheme and (parts.netloc or (parts.scheme == "urn" and parts.path))
        if not named or "#" in uri or " " in uri or len(uri) > _LONGEST_URI:
            message = f"'{uri[:120]}' cannot be an identifier URI: it is absolute, as api://NAME or https://HOST/PATH."
            raise BadParameter(message, "identifierUris")
    return _few(found, "identifierUris")


def check_redirect_uris(uris: Iterable[str], platform: str) -> tuple[str, ...]:
    """Check where a user may be sent back to: https, loopback by http, or, for public clients, a scheme of their own.

    Without a fragment (RFC 6749 section 3.1.2), a wildcard or a user name.
    """
    found = tuple(dict.fromkeys(uris))
    for uri in found:
        if not _is_redirect(uri, platform):
            message = f"'{uri[:120]}' cannot be a redirect URI of {platform}: https, or http of localhost, without fragment."
            raise BadParameter(message, "redirectUris")
    return _few(found, "redirectUris")


def _is_redirect(uri: str, platform: str) -> bool:
    if not uri.isascii() or not uri.isprintable() or len(uri) > _LONGEST_URI or set(uri) & set(" #*\\"):
        return False
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.username or not parts.scheme:
        return False
    if parts.scheme == "http":
        return host in _LOOPBACK
    if parts.scheme == "https":
        return bool(host)
    return platform == "publicClient" and parts.scheme not in {"javascript", "data", "file", "vbscript", "about", "blob"}


def _few(uris: tuple[str, ...], field: str) -> tuple[str, ...]:
    if len(uris) > _MOST_URIS:
        raise BadParameter(f"{field} holds at most {_MOST_URIS} URIs.", field)
    return uris
