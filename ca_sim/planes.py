"""The servers of an authority: each is an application at a port of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from starlette.types import ASGIApp

PEER_CERTIFICATE = "ca_sim.peer_certificate"
"""What a server puts into the scope: a call that gives the client's DER certificate, or None."""


class PlaneName(StrEnum):
    """The servers by name."""

    ACME = "acme"
    PUBLIC = "public"
    DIGICERT = "digicert"
    GLOBALSIGN = "globalsign"
    MANAGEMENT = "management"


class Transport(StrEnum):
    """How a plane is spoken to."""

    PLAIN = "plain HTTP"
    TLS = "HTTPS"
    MUTUAL_TLS = "HTTPS with client certificates"


@dataclass(frozen=True, slots=True)
class Plane:
    """An application and how it is served."""

    app: ASGIApp
    transport: Transport


TRANSPORTS: Mapping[PlaneName, Transport] = {
    PlaneName.ACME: Transport.TLS,
    PlaneName.PUBLIC: Transport.PLAIN,
    PlaneName.DIGICERT: Transport.TLS,
    PlaneName.GLOBALSIGN: Transport.MUTUAL_TLS,
    PlaneName.MANAGEMENT: Transport.PLAIN,
}

Bases = Mapping[PlaneName, str]
"""The base URL of each plane, such as https://localhost:14000."""
