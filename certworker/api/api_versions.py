"""The api-versions of the data plane, and what a client of each knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from certworker.errors import BadParameter

VERSIONS = (
    "2016-10-01",
    "7.0-preview",
    "7.0",
    "7.1-preview",
    "7.1",
    "7.2-preview",
    "7.2",
    "7.3-preview",
    "7.3",
    "7.4-preview.1",
    "7.4",
    "7.5-preview.1",
    "7.5",
    "7.6-preview.1",
    "7.6-preview.2",
    "7.6",
    "2025-06-01-preview",
    "2025-07-01",
    "2026-01-01-preview",
    "2026-03-01-preview",
    "2026-04-01",
    "2026-05-01-preview",
)
"""In the order in which they came; each knows what those before it know."""
LATEST = "2026-04-01"
_RANKS = MappingProxyType({name: rank for rank, name in enumerate(VERSIONS)})


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """The api-version of one request."""

    name: str

    @property
    def knows_cert_order(self) -> bool:
        """Whether `preserveCertOrder` is a field."""
        return self._is_from("7.6-preview.2")

    @property
    def knows_uris_and_addresses(self) -> bool:
        """Whether `sans.uris` and `sans.ipAddresses` are fields."""
        return self._is_from("2025-06-01-preview")

    @property
    def knows_exportable(self) -> bool:
        """Whether `exportable` of a key is a field."""
        return self._is_from("7.3-preview")

    @property
    def knows_hsm_platform(self) -> bool:
        """Whether `hsmPlatform` of a key is a field."""
        return self._is_from("7.5-preview.1")

    @property
    def knows_out_content_type(self) -> bool:
        """Whether `outContentType` is a field of the query for a secret; before, it was none, and is passed over."""
        return self._is_from("2025-06-01-preview")

    @property
    def knows_previous_version(self) -> bool:
        """Whether `previousVersion` of a secret is a field."""
        return self._is_from("2025-06-01-preview")

    def _is_from(self, first: str) -> bool:
        return _RANKS[self.name] >= _RANKS[first]


def api_version_of(query: Mapping[str, str]) -> ApiVersion:
    """Read the api-version of a request. Raises BadParameter, in the service's words."""
    name = query.get("api-version", "").lower()
    if not name:
        raise BadParameter(f"api-version must be specified, such as ?api-version={LATEST}.", "api-version")
    if name not in _RANKS:
        message = (
            f"The specified version ({name[:40]}) is not recognized. Consider using the latest supported version ({LATEST})."
        )
        raise BadParameter(message, "api-version")
    return ApiVersion(name)
