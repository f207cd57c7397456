"""The error tree. Each error has a code word; none knows HTTP.

CertworkerError
├── BadParameter                 what was sent cannot work; says which field and what would be right
│   ├── KeyMismatch              a certificate for another key
│   └── InvalidResource          ... on the management plane; `reason` is the word that its clients know
├── Unauthenticated              nobody, or nobody we can believe
│   ├── IdentityDisabled         somebody who was disabled in the directory
│   └── TokenExpired  WrongTokenIssuer  WrongTokenAudience  a token that would do at another time, or elsewhere
├── Forbidden                    somebody, but not somebody who may
│   ├── Disabled                 the object is disabled
│   │   └── KeyDisabled           ... a key
│   ├── KeyNotYetValid  KeyExpired  a key outside its time
│   ├── KeyOperationForbidden    a key that is not for this operation
│   ├── AttestationRefused       an attestation that a key is not released for
│   ├── PurgeProtected           a purge before its date, in a vault that allows none
│   ├── ForbiddenByPolicy        the vault's access policies give the caller something, and not this
│   ├── ForbiddenByRoles         no role of the caller permits it, in a vault that goes by roles
│   ├── ForbiddenByFirewall      the caller's address is not one that the vault lets in
│   └── AuthorizationFailed      no role of the caller permits it, on the management plane
├── NotFound
│   ├── VaultNotFound  CertificateNotFound  KeyNotFound  SecretNotFound
│   ├── OperationNotFound  IssuerNotFound  ContactsNotFound
│   ├── DirectoryObjectNotFound  a user, a group, an application, a credential
│   └── ResourceNotFound         ... on the management plane; `reason` says what of it
├── Conflict                     something else is in the way
│   ├── OperationInProgress      ... a certificate operation
│   ├── DeletedButRecoverable    ... a deleted object of the same name
│   ├── NotDeleted               recover or purge of what is not deleted
│   ├── ResourceConflict         ... on the management plane; `reason` is the word that its clients know
│   └── MasterKeyChanged         another master key was put in force meanwhile
├── Unavailable                  try again later; `retry_after` says when
│   ├── Sealed                   the deployment waits for its passphrase or shares
│   ├── Throttled                too many requests of this kind
│   └── AuditUnavailable         the record of what was asked cannot be kept, so that it is not done
├── LeaseLost                    another worker has taken the work over
├── SealBroken                   a sealed record was altered, moved, or sealed under another key
└── SetupError                   the deployment cannot start; says what to do
    └── SettingsError
"""

from datetime import timedelta
from typing import ClassVar


class CertworkerError(Exception):
    """The root of all errors that certworker raises on purpose. `str(error)` is fit for the caller's eyes."""

    code: ClassVar[str] = "error"


class BadParameter(CertworkerError):
    """What was sent cannot work. `field` is its name on the wire, where there is one."""

    code = "bad_parameter"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class KeyMismatch(BadParameter):
    """A certificate that was made for another key."""

    code = "key_mismatch"


class InvalidResource(BadParameter):
    """What was sent to the management plane cannot work. `reason` is the word for it that clients know."""

    code = "invalid_resource"

    def __init__(self, reason: str, message: str, field: str | None = None) -> None:
        super().__init__(message, field)
        self.reason = reason


class Unauthenticated(CertworkerError):
    """The caller is unknown: no token, or one that does not hold."""

    code = "unauthenticated"


class IdentityDisabled(Unauthenticated):
    """Whoever calls is in the directory, and was disabled there."""

    code = "identity_disabled"


class TokenExpired(Unauthenticated):
    """The token's time is over."""

    code = "token_expired"


class WrongTokenIssuer(Unauthenticated):
    """The token is of another issuer, or of another tenant."""

    code = "wrong_token_issuer"


class WrongTokenAudience(Unauthenticated):
    """The token is for somebody else to read."""

    code = "wrong_token_audience"


class Forbidden(CertworkerError):
    """The caller is known and may not do this."""

    code = "forbidden"


class Disabled(Forbidden):
    """The object is disabled."""

    code = "disabled"


class KeyDisabled(Disabled):
    """The key is disabled."""

    code = "key_disabled"


class KeyNotYetValid(Forbidden):
    """The key's time has not begun."""

    code = "key_not_yet_valid"


class KeyExpired(Forbidden):
    """The key's time is over."""

    code = "key_expired"


class KeyOperationForbidden(Forbidden):
    """The operation is not among those that the key is for."""

    code = "key_operation_forbidden"


class AttestationRefused(Forbidden):
    """The attestation does not hold, or is not what the key's release policy asks for."""

    code = "attestation_refused"


class PurgeProtected(Forbidden):
    """The vault keeps what was deleted until its purge date, whoever asks."""

    code = "purge_protected"


class ForbiddenByPolicy(Forbidden):
    """The vault goes by access policies, and those that hold for the caller give other permissions."""

    code = "forbidden_by_policy"


class ForbiddenByRoles(Forbidden):
    """The vault goes by roles, and none of the caller's permits it."""

    code = "forbidden_by_roles"


class ForbiddenByFirewall(Forbidden):
    """The vault's network rules do not let the caller's address in."""

    code = "forbidden_by_firewall"


class AuthorizationFailed(Forbidden):
    """No role of the caller permits the action on the management plane."""

    code = "authorization_failed"


class NotFound(CertworkerError):
    """There is no such thing."""

    code = "not_found"


class VaultNotFound(NotFound):
    """There is no vault of this name."""

    code = "vault_not_found"


class CertificateNotFound(NotFound):
    """There is no certificate of this name or version."""

    code = "certificate_not_found"


class KeyNotFound(NotFound):
    """There is no key of this name or version."""

    code = "key_not_found"


class SecretNotFound(NotFound):
    """There is no secret of this name or version."""

    code = "secret_not_found"


class OperationNotFound(NotFound):
    """The certificate has no pending operation."""

    code = "operation_not_found"


class IssuerNotFound(NotFound):
    """The vault has no issuer of this name."""

    code = "issuer_not_found"


class ContactsNotFound(NotFound):
    """The vault has no contacts."""

    code = "contacts_not_found"


class ResourceNotFound(NotFound):
    """There is no resource of this id on the management plane. `reason` is the word for it that clients know."""

    code = "resource_not_found"

    def __init__(self, message: str, reason: str = "ResourceNotFound") -> None:
        super().__init__(message)
        self.reason = reason


class DirectoryObjectNotFound(NotFound):
    """There is no such user, group, application or credential."""

    code = "directory_object_not_found"


class Conflict(CertworkerError):
    """Something else is in the way."""

    code = "conflict"


class OperationInProgress(Conflict):
    """A certificate operation is in the way. `operation_id` names it."""

    code = "operation_in_progress"

    def __init__(self, message: str, operation_id: str = "") -> None:
        super().__init__(message)
        self.operation_id = operation_id


class DeletedButRecoverable(Conflict):
    """A deleted object holds the name."""

    code = "deleted_but_recoverable"


class NotDeleted(Conflict):
    """Only a deleted object can be recovered or purged."""

    code = "not_deleted"


class ResourceConflict(Conflict):
    """Something is in the way on the management plane. `reason` is the word for it that clients know."""

    code = "resource_conflict"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MasterKeyChanged(Conflict):
    """Another master key was put in force: what this one wrapped must not be added. `key_id` names the new one."""

    code = "master_key_changed"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The master key {key_id} was put in force meanwhile. Try again.")
        self.key_id = key_id


class Unavailable(CertworkerError):
    """It cannot be done now, and may be later."""

    code = "unavailable"

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Sealed(Unavailable):
    """The deployment is sealed: its master key is wrapped, and nobody has opened it yet. Says what to do."""

    code = "sealed"


class Throttled(Unavailable):
    """Too many requests of this kind came in too short a time."""

    code = "throttled"


class AuditUnavailable(Unavailable):
    """The audit log cannot be written. No record, no answer."""

    code = "audit_unavailable"


class LeaseLost(CertworkerError):
    """The lease ran out and another worker has taken the work over: what was done must not be recorded."""

    code = "lease_lost"


class SealBroken(CertworkerError):
    """A sealed record does not open: it was altered, moved to another place, or sealed under another key."""

    code = "seal_broken"


class SetupError(CertworkerError):
    """The deployment cannot start as it stands. The message says what to do."""

    code = "setup"


class SettingsError(SetupError):
    """A setting is wrong. The message names it and says what would be right.

    Where several are, `problems` has each of them by itself.
    """

    code = "settings"

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)
