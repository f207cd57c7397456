"""Certificates, their operations and issuers on the wire."""

import json
from dataclasses import replace
from typing import Any

from pydantic import Field

from certworker.api.bodies import Body, Text
from certworker.api.wire import (
    View,
    attributes_wire,
    base64,
    deletion_wire,
    full_attributes_wire,
    recovery_wire,
    tags_wire,
    unix,
)
from certworker.api.wire_policy import PolicyBody, issuer_parameters_wire, policy_wire
from certworker.crypto.keys import base64url
from certworker.crypto.x509 import thumbprint
from certworker.vault.certificates import CertificateBundle, CertificateItem
from certworker.vault.drafts import WAITS_FOR_ISSUER
from certworker.vault.issuers import IssuerParameters
from certworker.vault.objects import Attributes, CertificateVersion
from certworker.vault.operations import Operation, OperationStatus
from certworker.vault.pending import PendingCertificate
from certworker.vault.vaults import Issuer

CERTIFICATES = "certificates"
DELETED = "deletedcertificates"


class EnabledBody(Body):
    """`attributes`, of which a client may set only this for a certificate or an issuer."""

    enabled: bool | None = None


class CreateBody(Body):
    """What begins a certificate."""

    policy: PolicyBody | None = None
    attributes: EnabledBody | None = None
    tags: dict[Text, Text] | None = None
    preserve_order: bool | None = Field(None, alias="preserveCertOrder")

    @property
    def enabled(self) -> bool:
        """Whether the certificate may be used; so unless something else was sent."""
        return self.attributes is None or self.attributes.enabled is not False


class CancellationBody(Body):
    """What cancels an operation."""

    cancellation_requested: bool


class CredentialsBody(Body):
    """`credentials` of an issuer."""

    account_id: Text | None = None
    pwd: Text | None = None


class AdministratorBody(Body):
    """One of `org_details.admin_details`."""

    first_name: Text | None = None
    last_name: Text | None = None
    email: Text | None = None
    phone: Text | None = None


class OrganizationBody(Body):
    """`org_details` of an issuer."""

    id: Text | None = None
    admin_details: tuple[AdministratorBody, ...] | None = None


class IssuerSetBody(Body):
    """What sets an issuer."""

    provider: Text
    credentials: CredentialsBody | None = None
    organization: OrganizationBody | None = Field(None, alias="org_details")
    attributes: EnabledBody | None = None

    def parameters(self) -> IssuerParameters:
        """Say it in the service's terms."""
        return IssuerParameters(
            provider=self.provider,
            account_id=self.credentials.account_id if self.credentials else None,
            credential=self.credentials.pwd if self.credentials else None,
            organization=self.organization.model_dump_json(exclude_none=True) if self.organization else None,
            enabled=self.attributes is None or self.attributes.enabled is not False,
        )


def bundle_wire(view: View, bundle: CertificateBundle) -> dict[str, Any]:
    """Show a version with its certificate's policy."""
    name, version = bundle.head.name, bundle.version
    wire = {
        "id": view.id(CERTIFICATES, name, version.version),
        "kid": view.id("keys", name, version.version),
        "sid": view.id("secrets", name, version.version),
        "x5t": base64url(thumbprint(version.der)),
        "cer": base64(version.der),
        "attributes": full_attributes_wire(version.attributes, view.vault),
        **tags_wire(version.tags),
        "policy": policy_wire(view, bundle.certificate),
        **({"pending": {"id": view.id(CERTIFICATES, name, "pending")}} if bundle.pending else {}),
        **_order_wire(view, preserved=version.preserve_order),
    }
    if bundle.head.deletion:
        wire |= deletion_wire(view, DELETED, name, bundle.head.deletion)
    return wire


def pending_wire(view: View, pending: PendingCertificate) -> dict[str, Any]:
    """Show a certificate that has no version yet: no certificate, key or secret, and disabled."""
    name = pending.head.name
    return {
        "id": view.id(CERTIFICATES, name, pending.operation.version),
        "attributes": full_attributes_wire(pending.attributes, view.vault),
        **tags_wire(pending.operation.tags),
        "policy": policy_wire(view, pending.certificate),
        "pending": {"id": view.id(CERTIFICATES, name, "pending")},
    }


def item_wire(view: View, item: CertificateItem) -> dict[str, Any]:
    """Show an entry of a list: no version in its id, and no recovery level."""
    head, version = item.head, item.version
    # what has no version yet is shown disabled, as it is when it is asked for alone
    attributes = version.attributes if version else Attributes(head.created, head.created, enabled=False)
    thumb = {"x5t": base64url(thumbprint(version.der))} if version else {}
    tags = tags_wire(version.tags) if version else {}
    return {"id": view.id(CERTIFICATES, head.name), **thumb, "attributes": attributes_wire(attributes), **tags}


def deleted_item_wire(view: View, item: CertificateItem) -> dict[str, Any]:
    """Show an entry of the list of deleted ones, which has its recovery level."""
    wire = item_wire(view, item)
    wire["attributes"] |= recovery_wire(view.vault)
    return {**wire, **deletion_wire(view, DELETED, item.head.name, item.head.deletion)} if item.head.deletion else wire


def version_item_wire(view: View, version: CertificateVersion) -> dict[str, Any]:
    """Show an entry of a list of versions."""
    return {
        "id": view.id(CERTIFICATES, version.name, version.version),
        "x5t": base64url(thumbprint(version.der)),
        "attributes": attributes_wire(version.attributes),
        **tags_wire(version.tags),
    }


def operation_wire(view: View, operation: Operation) -> dict[str, Any]:
    """Show a pending operation."""
    wire: dict[str, Any] = {
        "id": view.id(CERTIFICATES, operation.name, "pending"),
        "issuer": issuer_parameters_wire(operation.policy.issuer),
        "csr": base64(operation.csr),
        "cancellation_requested": operation.cancellation_requested,
        "status": operation.status.value,
        "request_id": operation.id,
        **_order_wire(view, preserved=operation.preserve_order),
    }
    if operation.status_details:
        wire["status_details"] = operation.status_details
    if operation.status is OperationStatus.COMPLETED:
        wire["target"] = view.id(CERTIFICATES, operation.name)
    if operation.status is OperationStatus.FAILED:
        wire["error"] = {"code": operation.error_code, "message": operation.error_message}
    return wire


def begun_wire(view: View, operation: Operation) -> dict[str, Any]:
    """Show an operation as it stood when it began, as the service answers a create.

    A self-signed certificate is complete by then, but the SDKs' pollers fetch the result only of what they saw in progress.
    """
    details = operation.status_details or WAITS_FOR_ISSUER
    return operation_wire(view, replace(operation, status=OperationStatus.IN_PROGRESS, status_details=details))


def issuer_wire(view: View, issuer: Issuer) -> dict[str, Any]:
    """Show an issuer; its password never."""
    return {
        "id": view.id(CERTIFICATES, "issuers", issuer.name),
        "provider": issuer.provider,
        "credentials": {"account_id": issuer.account_id},
        "org_details": json.loads(issuer.organization) if issuer.organization else {},
        "attributes": {"enabled": issuer.enabled, "created": unix(issuer.created), "updated": unix(issuer.updated)},
    }


def issuer_item_wire(view: View, issuer: Issuer) -> dict[str, Any]:
    """Show an entry of the list of issuers."""
    return {"id": view.id(CERTIFICATES, "issuers", issuer.name), "provider": issuer.provider}


def _order_wire(view: View, *, preserved: bool) -> dict[str, Any]:
    return {"preserveCertOrder": preserved} if view.api_version.knows_cert_order else {}
