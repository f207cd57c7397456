"""Subscriptions and resource groups."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import MappingText, OrderedText, UnixTime
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import fold_name
from certworker.vault.vaults import ResourceGroup, Subscription


class SubscriptionRow(Row, table=True):
    """A subscription."""

    __tablename__ = "subscription"

    id: str = Field(primary_key=True)
    tenant_id: str = Field(index=True)
    display_name: str
    created: datetime = Field(sa_type=UnixTime)


class ResourceGroupRow(Row, table=True):
    """A resource group, found by its folded name."""

    __tablename__ = "resource_group"
    __table_args__ = (belongs_to("subscription", "subscription_id", to=("id",)),)

    subscription_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    name: str
    location: str
    created: datetime = Field(sa_type=UnixTime)
    tags: Mapping[str, str] = Field(sa_type=MappingText)


SUBSCRIPTION = table_of(SubscriptionRow)
RESOURCE_GROUP = table_of(ResourceGroupRow)


def subscription_record(row: Found[Any]) -> Subscription:
    """Make the record of a subscription."""
    return Subscription(id=row.id, tenant_id=row.tenant_id, display_name=row.display_name, created=row.created)


def subscription_values(subscription: Subscription) -> Values:
    """Make the row of a subscription."""
    return {
        "id": subscription.id,
        "tenant_id": subscription.tenant_id,
        "display_name": subscription.display_name,
        "created": subscription.created,
    }


def resource_group_record(row: Found[Any]) -> ResourceGroup:
    """Make the record of a resource group."""
    return ResourceGroup(
        subscription_id=row.subscription_id, name=row.name, location=row.location, created=row.created, tags=row.tags
    )


def resource_group_values(group: ResourceGroup) -> Values:
    """Make the row of a resource group."""
    return {
        "subscription_id": group.subscription_id,
        "folded": fold_name(group.name),
        "name": group.name,
        "location": group.location,
        "created": group.created,
        "tags": group.tags,
    }
