"""Diagnostic settings over HTTP: which vault's audit records can be read in which store."""

from typing import Any, Final

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import answer
from certworker.api.management.call import ArmCall, listing, no_content
from certworker.api.management.routing import ResourceType, route
from certworker.errors import InvalidResource, ResourceNotFound
from certworker.vault.management.diagnostics import AUDIT_EVENT, GROUPS, NewSetting, ShownSetting

PROVIDER: Final = "Microsoft.Insights"
_VERSIONS: Final = ("2016-09-01", "2017-05-01-preview", "2021-05-01-preview")
SETTINGS = ResourceType(f"{PROVIDER}/diagnosticSettings", _VERSIONS)
CATEGORIES = ResourceType(f"{PROVIDER}/diagnosticSettingsCategories", _VERSIONS)
_ANY: Final = f"/{{resource:path}}/providers/{PROVIDER}/diagnosticSettings"
_CATEGORIES: Final = f"{_ANY}Categories"
_NO_RETENTION: Final = (
    "The log is kept for as long as [audit] in the settings says; set retentionPolicy to 0 days, or leave it."
)


class RetentionBody(Body):
    """`retentionPolicy`: it is not here that the log's end is set."""

    enabled: bool = False
    days: int = 0


class LogBody(Body):
    """One of `logs`: a category or a group of them, on or off."""

    category: Text | None = None
    group: Text | None = Field(None, alias="categoryGroup")
    enabled: bool
    retention: RetentionBody | None = Field(None, alias="retentionPolicy")


class MetricBody(Body):
    """One of `metrics`."""

    enabled: bool


class SettingProperties(Body):
    """`properties` of a setting."""

    storage_account_id: Text | None = Field(None, alias="storageAccountId")
    workspace_id: Text | None = Field(None, alias="workspaceId")
    event_hub: Text | None = Field(None, alias="eventHubAuthorizationRuleId")
    event_hub_name: Text | None = Field(None, alias="eventHubName")
    partner: Text | None = Field(None, alias="marketplacePartnerId")
    logs: tuple[LogBody, ...] | None = None
    metrics: tuple[MetricBody, ...] | None = None

    def setting(self) -> NewSetting:
        """Say it in the service's terms. Raises InvalidResource."""
        if self.workspace_id or self.event_hub or self.event_hub_name or self.partner:
            message = (
                "Records go to a storage account: storageAccountId. Workspaces, event hubs and partners are not supported; the "
                "settings' [audit] can send the log elsewhere, such as to syslog."
            )
            raise InvalidResource("DestinationNotSupported", message, "workspaceId")
        if not self.storage_account_id:
            message = "At least one data sink needs to be specified: storageAccountId."
            raise InvalidResource("BadRequest", message, "storageAccountId")
        if any(metric.enabled for metric in self.metrics or ()):
            message = "Metrics are not routed to stores: the service shows them at /metrics."
            raise InvalidResource("BadRequest", message, "metrics")
        for log in self.logs or ():
            _check_log(log)
        enabled = [log for log in self.logs or () if log.enabled]
        categories = tuple(dict.fromkeys(_spelled(log.category, (AUDIT_EVENT,)) for log in enabled if log.category))
        groups = tuple(dict.fromkeys(_spelled(log.group, GROUPS) for log in enabled if log.group))
        return NewSetting(self.storage_account_id, categories, groups)


class SettingBody(Body):
    """What makes a setting."""

    properties: SettingProperties


def _check_log(log: LogBody) -> None:
    if bool(log.category) == bool(log.group):
        raise InvalidResource("BadRequest", "One of logs has either a category or a categoryGroup.", "logs")
    if log.retention and log.retention.enabled and log.retention.days:
        raise InvalidResource("BadRequest", _NO_RETENTION, "retentionPolicy")


def _spelled(text: str, known: tuple[str, ...]) -> str:
    return next((word for word in known if word.lower() == text.lower()), text)


async def list_settings(call: ArmCall) -> Response:
    """GET the settings of a vault."""
    found = await call.run(call.house.governance.diagnostics.list, call["resource"])
    return listing([setting_wire(one) for one in found])


async def show(call: ArmCall) -> Response:
    """GET a setting."""
    return answer(setting_wire(await call.run(call.house.governance.diagnostics.get, call["resource"], call["name"])))


async def put(call: ArmCall) -> Response:
    """PUT a setting."""
    new = (await call.body(SettingBody)).properties.setting()
    return answer(setting_wire(await call.run(call.house.governance.diagnostics.put, call["resource"], call["name"], new)))


async def delete(call: ArmCall) -> Response:
    """DELETE a setting."""
    gone = await call.run(call.house.governance.diagnostics.delete, call["resource"], call["name"])
    return no_content(200 if gone else 204)


async def list_categories(call: ArmCall) -> Response:
    """GET the categories of a vault."""
    await call.run(call.house.governance.diagnostics.require_vault, call["resource"])
    return listing([_category_wire(call["resource"])])


async def show_category(call: ArmCall) -> Response:
    """GET a category of a vault."""
    await call.run(call.house.governance.diagnostics.require_vault, call["resource"])
    if call["name"].lower() != AUDIT_EVENT.lower():
        raise ResourceNotFound(f"There is no category '{call['name'][:64]}': a vault's is {AUDIT_EVENT}.")
    return answer(_category_wire(call["resource"]))


def setting_wire(shown: ShownSetting) -> dict[str, Any]:
    """Show a setting."""
    setting = shown.setting
    logs = [_log_wire(category, None) for category in setting.categories] + [_log_wire(None, group) for group in setting.groups]
    return {
        "id": f"{shown.vault_id}/providers/{PROVIDER}/diagnosticSettings/{setting.name}",
        "type": f"{PROVIDER}/diagnosticSettings",
        "name": setting.name,
        "location": None,
        "kind": None,
        "tags": None,
        "properties": {
            "storageAccountId": shown.storage_account_id,
            "serviceBusRuleId": None,
            "workspaceId": None,
            "eventHubAuthorizationRuleId": None,
            "eventHubName": None,
            "metrics": [],
            "logs": logs or [_log_wire(AUDIT_EVENT, None, enabled=False)],
            "logAnalyticsDestinationType": None,
        },
        "identity": None,
    }


def _log_wire(category: str | None, group: str | None, *, enabled: bool = True) -> dict[str, Any]:
    return {
        "category": category,
        "categoryGroup": group,
        "enabled": enabled,
        "retentionPolicy": {"enabled": False, "days": 0},
    }


def _category_wire(resource: str) -> dict[str, Any]:
    return {
        "id": f"{resource}/providers/{PROVIDER}/diagnosticSettingsCategories/{AUDIT_EVENT}",
        "type": f"{PROVIDER}/diagnosticSettingsCategories",
        "name": AUDIT_EVENT,
        "location": None,
        "kind": None,
        "tags": None,
        "properties": {"categoryType": "Logs", "categoryGroups": list(GROUPS)},
        "identity": None,
    }


ROUTES = (
    route("GET", _ANY, list_settings, SETTINGS),
    route("GET", f"{_ANY}/{{name}}", show, SETTINGS),
    route("PUT", f"{_ANY}/{{name}}", put, SETTINGS),
    route("DELETE", f"{_ANY}/{{name}}", delete, SETTINGS),
    route("GET", _CATEGORIES, list_categories, CATEGORIES),
    route("GET", f"{_CATEGORIES}/{{name}}", show_category, CATEGORIES),
)
