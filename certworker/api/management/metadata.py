"""`GET /metadata/endpoints`: where everything is, as `az cloud register` asks. Nobody needs a token for it."""

from typing import Any, Final

from starlette.responses import Response

from certworker.api.call import answer
from certworker.api.management.call import ArmCall, listing
from certworker.api.management.routing import ResourceType, route
from certworker.settings import Settings

CLOUD_NAME: Final = "Certworker"
METADATA = ResourceType("metadata/endpoints", ("2015-01-01", "2018-05-01", "2019-05-01", "2020-06-01", "2022-09-01"))
_FIRST_OBJECT: Final = "2022-09-01"
"""From this api-version on the answer is one object; before, a list of one."""


def endpoints_of(settings: Settings) -> dict[str, Any]:
    """Describe the deployment as a cloud. What it does not have is left out."""
    return {
        "name": CLOUD_NAME,
        "portal": settings.management_url,
        "authentication": {
            "loginEndpoint": settings.authority,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": f"{settings.graph_url}/",
        "graphAudience": f"{settings.graph_url}/",
        "microsoftGraphResourceId": f"{settings.graph_url}/",
        "resourceManager": f"{settings.management_url}/",
        "suffixes": {"keyVaultDns": settings.vault_suffix, "storage": settings.netloc},
    }


async def _endpoints(call: ArmCall) -> Response:
    found = endpoints_of(call.house.settings)
    return answer(found) if call.api_version >= _FIRST_OBJECT else listing([found])


ROUTES = (route("GET", "/metadata/endpoints", _endpoints, METADATA, is_open=True),)
