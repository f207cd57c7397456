"""The URLs of the ACME server. They start from a fixed base, never from what a client wrote into its Host header."""

from dataclasses import dataclass

DIRECTORY = "/directory"
NEW_NONCE = "/acme/new-nonce"
NEW_ACCOUNT = "/acme/new-account"
NEW_ORDER = "/acme/new-order"
NEW_AUTHORIZATION = "/acme/new-authorization"
REVOKE = "/acme/revoke-certificate"
KEY_CHANGE = "/acme/key-change"
ACCOUNT = "/acme/account/{id}"
ACCOUNT_ORDERS = "/acme/account/{id}/orders"
ORDER = "/acme/order/{id}"
FINALIZE = "/acme/order/{id}/finalize"
AUTHORIZATION = "/acme/authorization/{id}"
CHALLENGE = "/acme/challenge/{id}/{kind}"
CERTIFICATE = "/acme/certificate/{id}"
ALTERNATE = "/acme/certificate/{id}/{number}"
RENEWAL_INFO = "/acme/renewal-info"
RENEWAL_INFO_OF = "/acme/renewal-info/{id}"
UNPAUSE = "/unpause/{ticket}"


@dataclass(frozen=True, slots=True)
class Urls:
    """Makes absolute URLs from `base`, such as https://localhost:14000."""

    base: str

    def of(self, path: str, **parts: str) -> str:
        """Fill the parts of a path and put the base before it."""
        return self.base + path.format(**parts)

    def account_id(self, url: object) -> str | None:
        """Give the id in the URL of an account, None when it is not one."""
        prefix = self.base + ACCOUNT.format(id="")
        return url.removeprefix(prefix) if isinstance(url, str) and url.startswith(prefix) else None


def place(_method: str, path: str) -> str:
    """Name the kind of a request, as faults know it: acme.directory, acme.new-order, acme.finalize, acme.challenge."""
    parts = path.strip("/").split("/")
    if parts[0] != "acme":
        return f"acme.{parts[0]}"
    # /acme/order/{id}/finalize is a kind of its own
    word = parts[3] if parts[1:2] == ["order"] and len(parts) > 3 else parts[1] if len(parts) > 1 else ""  # noqa: PLR2004
    return f"acme.{word}"
