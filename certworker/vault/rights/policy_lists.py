"""Lists of access policies, as the management plane sends them: checked, and put together with those that a vault has."""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from certworker.errors import BadParameter
from certworker.vault.identities.rules import is_guid
from certworker.vault.rights.policies import ALL, MOST_POLICIES, PURGE, WORDS, AccessPolicy

_FIELD: Final = "accessPolicies"
_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._@|:+=-]{0,127}")


class PolicyChange(StrEnum):
    """What is done with the access policies that are sent: the last word of the path."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


def parse_policies(sent: object, tenant_id: str) -> tuple[AccessPolicy, ...]:
    """Read what was sent as `accessPolicies`: JSON that is decoded already. `tenant_id` is the vault's.

    Entries for the same identity become one that grants what each of them does. Names of fields are the service's, words of
    permissions go without regard to case, and their spelling is kept. Raises BadParameter.
    """
    if sent is None:
        return ()
    if not isinstance(sent, Sequence) or isinstance(sent, str | bytes):
        raise BadParameter(f"{_FIELD} is a list of access policies.", _FIELD)
    _check_count(len(sent))
    return _merged(_parse(one, f"{_FIELD}[{number}]", tenant_id) for number, one in enumerate(sent))


def change_policies(
    present: tuple[AccessPolicy, ...], sent: tuple[AccessPolicy, ...], change: PolicyChange
) -> tuple[AccessPolicy, ...]:
    """Put together what a vault has and what was sent; both were checked.

    `add` grants more to those who are there, `replace` replaces their entries, and both append the others. `remove` takes the
    words that were sent away, or the whole entry where none were; an entry without a word goes. Raises BadParameter where they
    are too many then.
    """
    match change:
        case PolicyChange.ADD:
            result = _merged((*present, *sent))
        case PolicyChange.REPLACE:
            by_identity = {policy.identity: policy for policy in (*present, *sent)}
            result = tuple(by_identity.values())
        case PolicyChange.REMOVE:
            gone = {policy.identity: policy for policy in sent}
            left = [_without(policy, gone.get(policy.identity)) for policy in present]
            result = tuple(policy for policy in left if policy is not None)
    _check_count(len(result))
    return result


def _parse(sent: object, at: str, tenant_id: str) -> AccessPolicy:
    if not isinstance(sent, Mapping):
        raise BadParameter(f"{at} is not an object with tenantId, objectId and permissions.", at)
    tenant = sent.get("tenantId")
    if not isinstance(tenant, str) or tenant.lower() != tenant_id.lower():
        raise BadParameter(f"{at}.tenantId must be the vault's: '{tenant_id}'.", f"{at}.tenantId")
    application = sent.get("applicationId")
    return AccessPolicy(
        tenant_id,
        _id(sent.get("objectId"), f"{at}.objectId"),
        _permissions(sent.get("permissions"), f"{at}.permissions"),
        _id(application, f"{at}.applicationId") if application else None,
    )


def _id(sent: object, at: str) -> str:
    if not isinstance(sent, str) or not _ID.fullmatch(sent):
        raise BadParameter(f"{at} is no id of the directory, such as a GUID.", at)
    return sent.lower() if is_guid(sent) else sent


def _permissions(sent: object, at: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(sent, Mapping):
        raise BadParameter(f"{at} is an object with lists of words for {_listed(WORDS)}.", at)
    found: dict[str, tuple[str, ...]] = {}
    for name, words in sent.items():
        noun = str(name).lower()
        if noun not in WORDS:
            raise BadParameter(f"{at} has '{str(name)[:40]}', and only {_listed(WORDS)} have permissions.", at)
        if words is not None:
            found[noun] = _words(words, noun, f"{at}.{noun}")
    return found


def _words(sent: object, noun: str, at: str) -> tuple[str, ...]:
    if not isinstance(sent, Sequence) or isinstance(sent, str | bytes) or not all(isinstance(word, str) for word in sent):
        raise BadParameter(f"{at} is a list of words.", at)
    allowed = WORDS[noun] | {ALL}
    for word in sent:
        if word.lower() not in allowed:
            raise BadParameter(f"{at} has '{word[:40]}', which is no permission on {noun}. There are: {_listed(allowed)}.", at)
    return _distinct(sent)


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    """Drop words that were said before; the first spelling stays."""
    found: dict[str, str] = {}
    for word in words:
        found.setdefault(word.lower(), word)
    return tuple(found.values())


def _merged(policies: Iterable[AccessPolicy]) -> tuple[AccessPolicy, ...]:
    found: dict[tuple[str, str], AccessPolicy] = {}
    for policy in policies:
        known = found.get(policy.identity)
        found[policy.identity] = policy if known is None else _with(known, policy)
    return tuple(found.values())


def _with(one: AccessPolicy, more: AccessPolicy) -> AccessPolicy:
    nouns = [*one.permissions, *(noun for noun in more.permissions if noun not in one.permissions)]
    words = {noun: _distinct((*one.permissions.get(noun, ()), *more.permissions.get(noun, ()))) for noun in nouns}
    return AccessPolicy(one.tenant_id, one.object_id, words, one.application_id)


def _without(policy: AccessPolicy, gone: AccessPolicy | None) -> AccessPolicy | None:
    if gone is None:
        return policy
    if not any(gone.permissions.values()):
        return None
    words = {noun: _left(noun, words, gone.permissions.get(noun, ())) for noun, words in policy.permissions.items()}
    return AccessPolicy(policy.tenant_id, policy.object_id, words, policy.application_id) if any(words.values()) else None


def _left(noun: str, words: tuple[str, ...], gone: tuple[str, ...]) -> tuple[str, ...]:
    """Take words out; `all` is the words that it stands for, so that one of them can go."""
    if not gone:
        return words
    out = {word.lower() for word in _spelled_out(noun, gone)}
    return tuple(word for word in _spelled_out(noun, words) if word.lower() not in out)


def _spelled_out(noun: str, words: tuple[str, ...]) -> tuple[str, ...]:
    if ALL not in {word.lower() for word in words}:
        return words
    return tuple(sorted((WORDS[noun] - {PURGE}) | {word.lower() for word in words} - {ALL}))


def _check_count(count: int) -> None:
    if count > MOST_POLICIES:
        message = f"A vault has at most {MOST_POLICIES} access policies, and these are {count}. Give the rights to a group."
        raise BadParameter(message, _FIELD)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
