"""The part of `certworker dev` that opens the deployment itself: the first start, the demonstration, the live view."""

import logging
from collections.abc import Iterable, Mapping, Sequence

from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import House, make_master_key, open_house
from certworker.cli.demo import plant_demo
from certworker.cli.dev_issuers import set_issuers
from certworker.cli.home import VAULT, Home, Ports, write_json, write_private
from certworker.cli.live import show_live
from certworker.errors import SetupError
from certworker.settings import Settings, load_settings
from certworker.vault.access import Caller
from certworker.vault.vaults import Vault

_log = logging.getLogger(__name__)


def prepare_home(home: Home, ports: Ports) -> Mapping[str, str]:
    """Set the deployment up, or bring one from an earlier start up to date; give the administrator's credentials.

    The CA bundle is written last: while it is there, nothing needs to be done.
    """
    if not home.dev_vault_is_made():
        # later on, a missing key is a loss to be told: a new one opens nothing
        make_master_key(home.master_key)
    with open_house(load_settings(home.settings)) as house:
        credentials = _found(home, house)
        certificate = ServerCertificate(house)
        certificate.ensure()
        set_issuers(house, _vault(house), ports)
        write_private(home.ca_bundle, certificate.root().decode())
    return credentials


def plant(settings: Settings, administrator: Mapping[str, str]) -> None:
    """Plant the first set of certificates, as the administrator."""
    with open_house(settings) as house:
        _plant(house, administrator)


def follow(
    home: Home,
    settings: Settings,
    rounds: Iterable[None],
    hints: Sequence[str],
    *,
    demo_for: Mapping[str, str] | None,
    from_start: bool,
) -> None:
    """Show the fleet for as long as `rounds` come, with the news of now, or `from_start` all there are.

    What is missing of the demonstration is planted first, where somebody asks for it.
    """
    headline = f"certworker dev   vault https://{VAULT}.{settings.vault_suffix}   home {home.folder}"
    with open_house(settings) as house:
        seen = 0 if from_start else house.fleet.last_event()
        if demo_for:
            _plant(house, demo_for)
        show_live(house, rounds, headline, hints, after=seen)


def _plant(house: House, administrator: Mapping[str, str]) -> None:
    caller = Caller(administrator["object_id"], administrator["client_id"], administrator["tenant_id"])
    plant_demo(house, caller, _vault(house))


def _found(home: Home, house: House) -> Mapping[str, str]:
    """Set the deployment up on the first start; afterwards give the credentials that were kept."""
    credentials = home.read_credentials()
    if house.founding.is_done() and credentials:
        return credentials
    if house.founding.is_done():
        # killed between the founding and the writing of its credentials: the administrator gets a new secret
        administrator, secret = house.founding.renew_secret()
    else:
        founded = house.founding.found(VAULT, "dev administrator")
        administrator, secret = founded.administrator, founded.client_secret
    credentials = {
        "tenant_id": administrator.tenant_id,
        "subscription_id": _vault(house).subscription_id,
        "client_id": administrator.client_id,
        "client_secret": secret,
        "object_id": administrator.object_id,
    }
    write_json(home.credentials, credentials)
    return credentials


def _vault(house: House) -> Vault:
    with house.store.reading() as reader:
        vault = reader.vault_by_name(VAULT)
    if vault is None:
        raise SetupError(f"The dev vault {VAULT} is missing from the database.")
    return vault
