"""What `certworker dev` writes for its service and its simulated CA, which go together. Light: a start reads it first."""

import json
from importlib.metadata import version
from typing import Final

from certworker.cli.home import DIGICERT_ISSUER, GLOBALSIGN_ISSUER, ISSUER, Home, Ports
from certworker.vault.vaults import SYSTEM_VAULT

CLIENT: Final = "ca-sim-client"
"""The certificate by which this deployment is known where the simulated CA wants one in TLS."""
DIGICERT_ACCOUNT, DIGICERT_KEY, DIGICERT_ORGANIZATION = "1000001", "ca-sim-digicert-api-key", "1"
GLOBALSIGN_KEY, GLOBALSIGN_SECRET = "ca-sim-key", "ca-sim-secret"
"""What everybody may know: the simulated CA listens on loopback, and nobody trusts it."""

_SETTINGS = """\
# Written by `certworker dev` {version} at each start; settings of your own belong into a file for `certworker run`.
database_url = "sqlite:///certworker.db"

[server]
port = {https}

[seal]
master_key_file = "master.key"

[metrics]
port = {metrics}

[network]
allow_private = ["localhost"]

[challenges]
http01_listen = ["127.0.0.1", "::1"]
http01_port = {http01}

[issuers.{acme_issuer}]
ca_bundle = "ca_sim/root.pem"

[issuers.{digicert_issuer}]
url = "https://localhost:{digicert}/services/v2"
ca_bundle = "ca_sim/root.pem"

[issuers.{globalsign_issuer}]
url = "https://localhost:{globalsign}/v2"
ca_bundle = "ca_sim/root.pem"
client_certificate = "{client}"
"""

_AUTHORITY_SETTINGS = """\
# Written by `certworker dev` at each start.
port = {acme}
management_port = {acme_management}
public_port = {authority_public}
state_directory = {state}
http01_port = {http01}
default_profile = "classic"

[digicert]
port = {digicert}
accounts = {{"{digicert_account}" = "{digicert_key}"}}

[globalsign]
port = {globalsign}
accounts = {{"{globalsign_key}" = "{globalsign_secret}"}}
client_roots = {ca_bundle}

[resolver]
"*" = "127.0.0.1"

[profiles.classic]
validity_seconds = 7776000
description = "A server certificate for 90 days"

[profiles.shortlived]
validity_seconds = 518400
description = "A server certificate for 6 days"

[profiles.minutes]
validity_seconds = 240
description = "A server certificate for 4 minutes, to watch a renewal"
"""


def service_settings(ports: Ports) -> str:
    """Write the settings of the service."""
    return _SETTINGS.format(
        https=ports.https,
        metrics=ports.metrics,
        http01=ports.http01,
        digicert=ports.digicert,
        globalsign=ports.globalsign,
        acme_issuer=ISSUER,
        digicert_issuer=DIGICERT_ISSUER,
        globalsign_issuer=GLOBALSIGN_ISSUER,
        client=f"{SYSTEM_VAULT}/{CLIENT}",
        version=version("certworker"),
    )


def authority_settings(home: Home, ports: Ports) -> str:
    """Write the settings of the simulated CA."""
    return _AUTHORITY_SETTINGS.format(
        acme=ports.acme,
        acme_management=ports.acme_management,
        authority_public=ports.authority_public,
        http01=ports.http01,
        digicert=ports.digicert,
        globalsign=ports.globalsign,
        digicert_account=DIGICERT_ACCOUNT,
        digicert_key=DIGICERT_KEY,
        globalsign_key=GLOBALSIGN_KEY,
        globalsign_secret=GLOBALSIGN_SECRET,
        ca_bundle=json.dumps(str(home.ca_bundle)),
        state=json.dumps(str(home.authority_state)),
    )
