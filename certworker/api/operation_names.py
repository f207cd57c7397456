"""What each operation is called in the audit log: the service's own words, and words of the same kind for what is ours.

A route is told by its method and its path, as the routers have it. Those of vaults and of the identity provider are in a table;
the other planes are made of resources, whose paths are names already.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from certworker.api.paths import COLLECTIONS

AUTHENTICATION: Final = "Authentication"
"""A request that brought no token, or none that holds: what it was for is in its URI."""
UNKNOWN: Final = "UnknownOperation"
"""A request for what there is not."""

_KEY_USES: Final = ("encrypt", "decrypt", "sign", "verify", "wrapkey", "unwrapkey", "release")
_USE_NAMES: Final = MappingProxyType({"wrapkey": "KeyWrap", "unwrapkey": "KeyUnwrap"})


def _nouns() -> Mapping[tuple[str, str], str]:
    """Name what keys, secrets and certificates have alike."""
    names: dict[tuple[str, str], str] = {}
    for noun, word in (("keys", "Key"), ("secrets", "Secret"), ("certificates", "Certificate")):
        names |= {
            ("GET", f"/{noun}"): f"{word}List",
            ("GET", f"/{noun}/{{name}}"): f"{word}Get",
            ("GET", f"/{noun}/{{name}}/{{version}}"): f"{word}Get",
            ("GET", f"/{noun}/{{name}}/versions"): f"{word}ListVersions",
            ("PATCH", f"/{noun}/{{name}}"): f"{word}Update",
            ("PATCH", f"/{noun}/{{name}}/{{version}}"): f"{word}Update",
            ("DELETE", f"/{noun}/{{name}}"): f"{word}Delete",
            ("POST", f"/{noun}/{{name}}/backup"): f"{word}Backup",
            ("POST", f"/{noun}/restore"): f"{word}Restore",
            ("GET", f"/deleted{noun}"): f"{word}ListDeleted",
            ("GET", f"/deleted{noun}/{{name}}"): f"{word}GetDeleted",
            ("POST", f"/deleted{noun}/{{name}}/recover"): f"{word}Recover",
            ("DELETE", f"/deleted{noun}/{{name}}"): f"{word}Purge",
        }
    return names


def _key_uses() -> Mapping[tuple[str, str], str]:
    paths = ("/keys/{name}", "/keys/{name}/{version}")
    return {("POST", f"{path}/{use}"): _USE_NAMES.get(use, f"Key{use.capitalize()}") for path in paths for use in _KEY_USES}


_OWN: Final = "/certworker/v1"

DATA_PLANE: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        **_nouns(),
        **_key_uses(),
        ("PUT", "/secrets/{name}"): "SecretSet",
        ("PUT", "/keys/{name}"): "KeyImport",
        ("POST", "/keys/{name}/create"): "KeyCreate",
        ("POST", "/keys/{name}/rotate"): "KeyRotate",
        ("GET", "/keys/{name}/rotationpolicy"): "KeyRotationPolicyGet",
        ("PUT", "/keys/{name}/rotationpolicy"): "KeyRotationPolicySet",
        ("GET", "/keys/{name}/{version}/attestation"): "KeyAttestationGet",
        ("POST", "/rng"): "RandomBytesGet",
        ("POST", "/certificates/{name}/create"): "CertificateCreate",
        ("POST", "/certificates/{name}/import"): "CertificateImport",
        ("GET", "/certificates/{name}/policy"): "CertificatePolicyGet",
        ("PATCH", "/certificates/{name}/policy"): "CertificatePolicyUpdate",
        ("GET", "/certificates/{name}/pending"): "CertificatePendingGet",
        ("PATCH", "/certificates/{name}/pending"): "CertificatePendingUpdate",
        ("DELETE", "/certificates/{name}/pending"): "CertificatePendingDelete",
        ("POST", "/certificates/{name}/pending/merge"): "CertificatePendingMerge",
        ("GET", "/certificates/contacts"): "CertificateContactsGet",
        ("PUT", "/certificates/contacts"): "CertificateContactsSet",
        ("DELETE", "/certificates/contacts"): "CertificateContactsDelete",
        ("GET", "/certificates/issuers"): "CertificateIssuersList",
        ("GET", "/certificates/issuers/{name}"): "CertificateIssuerGet",
        ("PUT", "/certificates/issuers/{name}"): "CertificateIssuerSet",
        ("PATCH", "/certificates/issuers/{name}"): "CertificateIssuerUpdate",
        ("DELETE", "/certificates/issuers/{name}"): "CertificateIssuerDelete",
        ("POST", f"{_OWN}/certificates/{{name}}/renew"): "CertificateRenew",
        ("GET", f"{_OWN}/certificates/{{name}}/operations/latest"): "CertificateOperationGet",
        ("POST", f"{_OWN}/certificates/{{name}}/revoke"): "CertificateRevoke",
        ("POST", f"{_OWN}/issuers/{{name}}/test"): "CertificateIssuerTest",
        ("POST", f"{_OWN}/issuers/{{name}}/roll-key"): "CertificateIssuerRollKey",
        ("GET", f"{_OWN}/access"): "AccessExplain",
        ("GET", f"{_OWN}/access/holdings"): "AccessHoldingList",
        ("GET", f"{_OWN}/status"): "CertificateStatusGet",
        ("GET", f"{_OWN}/vaults"): "KnownVaultList",
        ("GET", f"{_OWN}/plan"): "RenewalPlanList",
        ("GET", f"{_OWN}/certificates/{{name}}/plan"): "RenewalPlanGet",
        ("POST", f"{_OWN}/certificates/{{name}}/pause"): "RenewalPause",
        ("POST", f"{_OWN}/certificates/{{name}}/resume"): "RenewalResume",
        ("GET", f"{_OWN}/issuers/{{name}}/replacement"): "CertificateReplacementDrill",
        ("POST", f"{_OWN}/issuers/{{name}}/replacement"): "CertificateReplacementStart",
        ("GET", f"{_OWN}/revocation"): "RevocationList",
        ("GET", f"{_OWN}/certificates/{{name}}/revocation"): "RevocationGet",
        ("POST", f"{_OWN}/certificates/{{name}}/revocation/check"): "RevocationCheck",
        ("GET", f"{_OWN}/notices"): "NoticeList",
        ("POST", f"{_OWN}/notices/test"): "NoticeTest",
        ("POST", f"{_OWN}/notices/replay"): "NoticeReplay",
        ("GET", f"{_OWN}/notices/{{id}}"): "NoticeGet",
        ("POST", f"{_OWN}/notices/{{id}}/replay"): "NoticeReplay",
        ("POST", f"{_OWN}/notices/{{id}}/acknowledge"): "NoticeAcknowledge",
        ("GET", f"{_OWN}/silences"): "SilenceList",
        ("POST", f"{_OWN}/silences"): "SilenceSet",
        ("DELETE", f"{_OWN}/silences/{{id}}"): "SilenceDelete",
    }
)

LOGIN: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("POST", "/{tenant}/oauth2/v2.0/token"): "TokenIssue",
        ("GET", "/metadata/identity/oauth2/token"): "TokenIssue",
        ("GET", "/{path:path}"): "TokenIssue",
        ("GET", "/{tenant}/v2.0/.well-known/openid-configuration"): "OpenIdConfigurationGet",
        ("GET", "/{tenant}/discovery/v2.0/keys"): "TokenKeysGet",
    }
)

_KEY_VAULT: Final = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
_DELETED: Final = f"{_KEY_VAULT}/locations/{{location}}/deletedVaults/{{vault}}"

MANAGEMENT: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("GET", f"{_KEY_VAULT}/deletedVaults"): "VaultListDeleted",
        ("GET", _DELETED): "VaultGetDeleted",
        ("POST", f"{_DELETED}/purge"): "VaultPurge",
        ("POST", f"{_KEY_VAULT}/checkNameAvailability"): "VaultCheckNameAvailability",
        ("GET", "/subscriptions/{subscription}/locations"): "LocationList",
    }
)
"""Where the service's word is another than what the path says."""

_NAMES: Final = MappingProxyType({**DATA_PLANE, **LOGIN, **MANAGEMENT})
_VERBS: Final = MappingProxyType(
    {"GET": "Get", "HEAD": "Get", "PUT": "Put", "PATCH": "Patch", "DELETE": "Delete", "POST": "Add"}
)
_SCOPE: Final = re.compile(r".*/providers/(?!\{)[^/]+(?=/)|/subscriptions/\{\w+\}(?:/resourceGroups/\{\w+\})?(?=/)")
"""What a path begins with to say where the resource is."""
_SILENT: Final = frozenset({"certworker", "locations", "v1.0", "v2.0", "$ref", ".well-known", "oauth2"})
"""Words of paths that say nothing of what is asked for."""

_DIRECTORY: Final = ("User", "Group", "Application", "ServicePrincipal", "ApplicationFederatedIdentityCredential")
_REFERRED: Final = ("GroupMember", "GroupOwner", "ApplicationOwner", "ServicePrincipalOwner", "DirectoryRoleMember")
"""What is made and changed in the directory; and what only refers from one object to another."""

_STATUSES: Final = MappingProxyType(
    {
        "CertificateCreate": 202,
        "CertificatePendingMerge": 201,
        "CertificateRenew": 202,
        "CertificateReplacementStart": 202,
        "CertificatePurge": 204,
        "KeyPurge": 204,
        "SecretPurge": 204,
        "NoticeReplay": 202,
        "NoticeTest": 202,
        "SilenceSet": 201,
        "SilenceDelete": 204,
        "RoleAssignmentPut": 201,  # but 200 where it had another description
        "RoleDefinitionPut": 201,
        **{f"{noun}Add": 201 for noun in _DIRECTORY},
        **{f"{noun}{verb}": 204 for noun in _DIRECTORY for verb in ("Patch", "Delete")},
        **{f"{noun}{verb}": 204 for noun in _REFERRED for verb in ("Add", "Delete")},
        **{f"{noun}RemovePassword": 204 for noun in ("Application", "ServicePrincipal")},
        "MeChangePassword": 204,
    }
)
"""The statuses of operations that succeed, where they are not 200: a change's record is written before its answer is."""


def operation_name(method: str, path: str) -> str | None:
    """Name the operation of a route; none for one of a vault that is not in the table, or for a verb that there is not."""
    found = _NAMES.get((method, path)) or (_NAMES.get(("GET", path)) if method == "HEAD" else None)
    if found is None and method in _VERBS and path.split("/", 2)[1] not in COLLECTIONS:
        return _name_by_path(method, path)
    return found


@cache
def _name_by_path(method: str, path: str) -> str:
    """Name the operation of a resource by its path: vaults/{vault} is a VaultPut, vaults a VaultList.

    What a POST does is the last word: vaults/{vault}/deploy is a VaultDeploy. What is inside of a resource has its name before.
    """
    segments = [segment for segment in _SCOPE.sub("", path).split("/")[1:] if segment not in _SILENT]
    words = [segment for segment in segments if not segment.startswith("{")] or ["Resource"]
    nouns = "".join(_singular(word) for word in words)
    if method == "POST" and segments and not segments[-1].startswith("{"):
        acts = not words[-1].endswith("s")
        return "".join(map(_singular, words[:-1])) + _capital(words[-1]) if acts else f"{nouns}Add"
    lists = method in {"GET", "HEAD"} and segments and not segments[-1].startswith("{") and words[-1].endswith("s")
    return f"{nouns}{'List' if lists else _VERBS[method]}"


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{_capital(word)[:-3]}y"
    return _capital(word).removesuffix("s")


def _capital(word: str) -> str:
    plain = re.sub(r"[^0-9A-Za-z]", " ", word).strip()
    return "".join(part[:1].upper() + part[1:] for part in plain.split())


def success_status(operation: str) -> int:
    """Tell the status with which an operation answers where all goes well."""
    return _STATUSES.get(operation, 200)
