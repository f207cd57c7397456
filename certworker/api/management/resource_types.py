"""The types of resources that vaults are, and lie in, with the api-versions that each is known in."""

from typing import Final

from certworker.api.management.routing import ResourceType

VAULT_VERSIONS: Final = (
    "2021-04-01-preview",
    "2021-06-01-preview",
    "2021-10-01",
    "2021-11-01-preview",
    "2022-02-01-preview",
    "2022-07-01",
    "2022-11-01",
    "2023-02-01",
    "2023-07-01",
    "2024-04-01-preview",
    "2024-11-01",
    "2024-12-01-preview",
    "2025-05-01",
    "2026-02-01",
    "2026-03-01-preview",
    "2026-05-15",
)
ROLES_FROM: Final = "2026-02-01"
"""From this api-version on a new vault goes by roles unless it is said otherwise."""

VAULTS = ResourceType("vaults", VAULT_VERSIONS)
MANAGED_HSMS = ResourceType("managedHSMs", VAULT_VERSIONS)
RESOURCES = ResourceType(
    "resources",
    (
        "2015-11-01",
        "2016-02-01",
        "2016-09-01",
        "2017-05-10",
        "2018-02-01",
        "2018-05-01",
        "2019-03-01",
        "2019-05-01",
        "2019-05-10",
        "2019-07-01",
        "2019-08-01",
        "2019-10-01",
        "2020-06-01",
        "2020-10-01",
        "2021-01-01",
        "2021-04-01",
        "2022-09-01",
        "2023-07-01",
        "2024-03-01",
        "2024-07-01",
        "2024-11-01",
        "2025-03-01",
        "2025-04-01",
    ),
)
# clients of Key Vault ask for the next page of resources with an api-version of vaults
RESOURCE_LISTS = ResourceType("resources", tuple(sorted({*RESOURCES.versions, *VAULT_VERSIONS})))
SUBSCRIPTIONS = ResourceType(
    "subscriptions",
    (
        "2014-04-01",
        "2015-11-01",
        "2016-06-01",
        "2018-06-01",
        "2019-06-01",
        "2019-11-01",
        "2020-01-01",
        "2020-06-01",
        "2020-10-01",
        "2021-01-01",
        "2021-04-01",
        "2022-09-01",
        "2022-12-01",
        "2024-11-01",
        "2025-03-01",
        "2025-04-01",
    ),
)
