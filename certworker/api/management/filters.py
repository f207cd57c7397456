"""`$filter` of the management plane: clauses that all have to hold, such as `atScope() and principalId eq '...'`."""

import re
from collections.abc import Mapping
from typing import Final

from certworker.api.management.call import ArmCall
from certworker.errors import InvalidResource

_CLAUSE: Final = re.compile(
    r"\s*(?:(?P<function>\w+)\s*\(\s*(?:'(?P<argument>(?:[^']|'')*)')?\s*\)|(?P<field>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)')\s*",
    re.IGNORECASE,
)
_AND: Final = re.compile(r"and\b", re.IGNORECASE)


def read_filter(call: ArmCall, *known: str) -> Mapping[str, str]:
    """Read the filter of a call: names in lower case, with their values or arguments, which may be empty.

    `known` are the names that there are, functions with `()`. Raises InvalidResource.
    """
    text, found, at = call.query.get("$filter", "").strip(), {}, 0
    names = {name.removesuffix("()").lower(): name.endswith("()") for name in known}
    while at < len(text):
        match = _CLAUSE.match(text, at)
        name = (match["function"] or match["field"]).lower() if match else ""
        if match is None or names.get(name) is not bool(match["function"]):
            raise _unreadable(text[at:], known)
        found[name] = (match["argument"] or match["value"] or "").replace("''", "'")
        at = match.end()
        joined = _AND.match(text, at)
        if at < len(text) and (joined is None or joined.end() == len(text)):
            raise _unreadable(text[at:], known)
        at = joined.end() if joined else at
    return found


def _unreadable(rest: str, known: tuple[str, ...]) -> InvalidResource:
    message = f"$filter cannot be read at '{rest[:80]}'. It has clauses of {', '.join(known)}, joined by and."
    return InvalidResource("InvalidFilterInQueryString", message, "$filter")
