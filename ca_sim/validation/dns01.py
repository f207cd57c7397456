"""The dns-01 challenge: a TXT record below the name (RFC 8555 section 8.4)."""

import hashlib
import hmac

from dns.rdtypes.ANY.TXT import TXT

from ca_sim.acme.jose import encode
from ca_sim.identifiers import Identifier
from ca_sim.problems import DnsError, UnauthorizedError
from ca_sim.validation.name_servers import DnsLookupError, NameServers


class Dns01:
    """Looks at `_acme-challenge` below a name; a wildcard is looked at like the name that it is below. It is a `Validate`."""

    def __init__(self, servers: NameServers) -> None:
        self._servers = servers

    async def __call__(self, identifier: Identifier, token: str, key_authorization: str) -> None:
        """Compare each TXT record with the digest of the key authorization: one of them must be it."""
        del token  # it is within the key authorization
        name = f"_acme-challenge.{identifier.base.value}"
        try:
            found = await self._servers.look_up(name, "TXT")
        except DnsLookupError as error:
            raise DnsError(f"looking up TXT of {name}: {error}") from error
        right = encode(hashlib.sha256(key_authorization.encode("ascii")).digest()).encode("ascii")
        # A long value comes as several strings, which belong together.
        values = [b"".join(record.strings) for record in found if isinstance(record, TXT)]
        if not values:
            raise UnauthorizedError(f"{name} has no TXT record")
        if not any(hmac.compare_digest(value, right) for value in values):
            raise UnauthorizedError(f"none of the {len(values)} TXT records of {name} is the digest of the key authorization")
