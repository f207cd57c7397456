"""What the settings choose: the challenges that are offered, and whether CAA records are looked at."""

from collections.abc import Callable, Mapping

from ca_sim.identifiers import Identifier
from ca_sim.settings import Settings
from ca_sim.validation.caa import Caa
from ca_sim.validation.dns01 import Dns01
from ca_sim.validation.http01 import Http01, Validate
from ca_sim.validation.resolver import make_resolver, name_servers
from ca_sim.validation.tls_alpn01 import TlsAlpn01


def make_validators(settings: Settings) -> Mapping[str, Validate]:
    """Give what validates each type of challenge. dns-01 is there where there is a DNS server to ask."""
    if settings.validation.always_valid:
        return dict.fromkeys(("http-01", "dns-01", "tls-alpn-01"), _accept)
    resolve, servers, seconds = make_resolver(settings), name_servers(settings), settings.validation_timeout_seconds
    port, tls_port = settings.http01_port, settings.tlsalpn01_port
    validators: dict[str, Validate] = {"http-01": Http01(resolve, port=port, tls_port=tls_port, timeout_seconds=seconds)}
    if servers is not None:
        validators["dns-01"] = Dns01(servers)
    validators["tls-alpn-01"] = TlsAlpn01(resolve, port=tls_port, timeout_seconds=seconds)
    return validators


async def _accept(identifier: Identifier, token: str, key_authorization: str) -> None:
    """Take a challenge as met without a look."""
    del identifier, token, key_authorization


def make_caa(settings: Settings, account_url: Callable[[str], str]) -> Caa | None:
    """Give what looks at CAA records, or None; `account_url` gives the URL of the account with an id."""
    servers = name_servers(settings)
    if servers is None or not settings.validation.check_caa or settings.validation.always_valid:
        return None
    return Caa(servers, settings.caa_identities, account_url, settings.validation_timeout_seconds)
