"""What the owner of a key says of it, whatever way it comes: what it may do, when, and for whom."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from certworker.errors import BadParameter
from certworker.vault.objects import Attributes, KeyReleasePolicy, KeyVersion, Tags, check_tags
from certworker.vault.release_policy import check_release_policy

EXPORT: Final = "export"
IMPORT: Final = "import"
_ENCRYPTION: Final = ("encrypt", "decrypt", "wrapKey", "unwrapKey")
_SIGNATURE: Final = ("sign", "verify")
DEFAULT_KEY_OPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "RSA": (*_ENCRYPTION, *_SIGNATURE),
        "RSA-HSM": (*_ENCRYPTION, *_SIGNATURE),
        "EC": _SIGNATURE,
        "EC-HSM": _SIGNATURE,
        "oct": (*_ENCRYPTION, *_SIGNATURE),
        "oct-HSM": _ENCRYPTION,  # an AES key of a token makes no HMAC
    }
)
"""What a key may do unless its owner says less: all that its type can."""
NO_POLICY = "Exportable keys must have a release policy, under which they may leave the vault: send release_policy."
NEEDLESS_POLICY = "Non-exportable keys must not have release policy."


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What is said of a version; none is the default of a new one, and leaves a known one as it is."""

    key_ops: tuple[str, ...] | None = None
    enabled: bool | None = None
    not_before: datetime | None = None
    expires: datetime | None = None
    exportable: bool | None = None
    tags: Tags | None = None
    release_policy: KeyReleasePolicy | None = None


def check_key_ops(kty: str, key_ops: tuple[str, ...] | None, *, exportable: bool) -> tuple[str, ...]:
    """Give what a key of a type may do, each once. Raises BadParameter for what its type cannot."""
    known = DEFAULT_KEY_OPS[kty]
    if key_ops is None:
        return known
    allowed = {*known, *((EXPORT,) if exportable else ()), *((IMPORT,) if kty.startswith("RSA") else ())}
    if not allowed.issuperset(key_ops):
        wrong = next(word for word in key_ops if word not in allowed)
        raise BadParameter(
            f"key_ops has the value '{wrong[:40]}': the operations of this key are {', '.join(sorted(allowed))}.", "key_ops"
        )
    return tuple(dict.fromkeys(key_ops))


def new_attributes(settings: KeySettings, at: datetime) -> Attributes:
    """Make the attributes of a new version. Raises BadParameter."""
    return _checked(Attributes(at, at, settings.enabled is not False, settings.not_before, settings.expires))


def check_exportable(
    settings: KeySettings, current: KeyVersion | None, *, in_hsm: bool
) -> tuple[bool, KeyReleasePolicy | None]:
    """Say whether a new version may leave the vault, and under which policy; `current` is the one that it follows.

    The policy of an exportable version goes on where nothing else is said. Raises BadParameter.
    """
    policy = check_release_policy(settings.release_policy) if settings.release_policy else None
    if not settings.exportable:
        if policy:
            raise BadParameter(NEEDLESS_POLICY, "release_policy")
        return False, None
    if in_hsm:
        message = "attributes.exportable: a key in a hardware token never leaves it; ask for the type without -HSM."
        raise BadParameter(message, "attributes.exportable")
    policy = policy or (current.release_policy if current else None)
    if policy is None:
        raise BadParameter(NO_POLICY, "release_policy")
    return True, policy


def changed(known: KeyVersion, settings: KeySettings, at: datetime) -> KeyVersion:
    """Put what is said over a version. Raises BadParameter."""
    if settings.exportable is not None and settings.exportable != known.exportable:
        message = "attributes.exportable is what it was when the version was made, and cannot be changed."
        raise BadParameter(message, "attributes.exportable")
    before = known.attributes
    attributes = Attributes(
        before.created,
        at,
        before.enabled if settings.enabled is None else settings.enabled,
        before.not_before if settings.not_before is None else settings.not_before,
        before.expires if settings.expires is None else settings.expires,
    )
    key_ops = known.key_ops
    if settings.key_ops is not None:
        key_ops = check_key_ops(known.kty, settings.key_ops, exportable=known.exportable)
    return replace(
        known,
        attributes=_checked(attributes) if settings.not_before or settings.expires else attributes,
        key_ops=key_ops,
        tags=known.tags if settings.tags is None else check_tags(settings.tags),
        release_policy=_changed_policy(known, settings.release_policy),
    )


def _changed_policy(known: KeyVersion, policy: KeyReleasePolicy | None) -> KeyReleasePolicy | None:
    if policy is None or policy == known.release_policy:
        return known.release_policy
    if not known.exportable:
        raise BadParameter(NEEDLESS_POLICY, "release_policy")
    if known.release_policy and known.release_policy.immutable:
        raise BadParameter("release_policy is immutable, and cannot be changed.", "release_policy")
    return check_release_policy(policy)


def _checked(attributes: Attributes) -> Attributes:
    if attributes.not_before and attributes.expires and attributes.expires <= attributes.not_before:
        raise BadParameter("attributes.exp is not after attributes.nbf: the key could never be used.", "attributes.exp")
    return attributes
