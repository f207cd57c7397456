"""The authority's own certificates: shown, replaced by others, and revoked."""

from typing import Annotated, Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import AfterValidator, BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.acme.wire import time
from ca_sim.authority.hierarchy import Authority, serial_of
from ca_sim.authority.keys import Family
from ca_sim.authority.links import Links
from ca_sim.authority.revocations import CA_REASONS, Revocations
from ca_sim.authority.signers import Signer
from ca_sim.certificates import REASONS
from ca_sim.clock import Clock
from ca_sim.management.bodies import read_shape, serial_number
from ca_sim.problems import NotFoundError

_CODES = {REASONS[code]: code for code in CA_REASONS}


def _reason(word: str) -> str:
    if word not in _CODES:
        raise ValueError(f"{word!r} is not one of {', '.join(sorted(_CODES))}")
    return word


class Rotation(BaseModel):
    """Which certificate another one takes over from, of which family of keys; none is the default one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Literal["intermediate", "root"] = "intermediate"
    family: Family | None = None


class OwnRevocation(BaseModel):
    """Why an intermediate or a cross-certificate is revoked, in the words of RFC 5280 section 5.3.1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, AfterValidator(_reason)] = "cACompromise"


def authority_routes(authority: Authority, revocations: Revocations, links: Links, clock: Clock) -> list[Route]:
    """Make the routes: GET of /authority, POST of /authority/rotate and of /authority/{serial}/revoke."""

    def shown(certificate: x509.Certificate, signer: Signer | None) -> dict[str, Any]:
        revocation = revocations.find_own(certificate.serial_number)
        return {
            "id": signer.id if signer else None,
            "serial": serial_of(certificate),
            "subject": certificate.subject.rfc4514_string(),
            "issuer": certificate.issuer.rfc4514_string(),
            "not_before": time(certificate.not_valid_before_utc),
            "not_after": time(certificate.not_valid_after_utc),
            "issues": signer is not None and signer.id in authority.issuing(),
            "crl": links.crl(signer.id) if signer else None,
            "revoked_at": time(revocation.at) if revocation else None,
            "reason": REASONS[revocation.reason] if revocation else None,
            "pem": certificate.public_bytes(Encoding.PEM).decode("ascii"),
        }

    async def list_(_: Request) -> Response:
        crosses = [shown(certificate, None) for certificate in authority.crosses()]  # makes the older roots
        signers = [shown(signer.certificate, signer) for signer in authority.signers()]
        return JSONResponse({"certificates": [*signers, *crosses]})

    async def rotate(request: Request) -> Response:
        asked = await read_shape(request, Rotation)
        turn = authority.rotate_root if asked.what == "root" else authority.rotate_intermediate
        signer = turn(clock(), asked.family)
        return JSONResponse(shown(signer.certificate, signer), 201)

    async def revoke(request: Request) -> Response:
        asked = await read_shape(request, OwnRevocation)
        serial = serial_number(request.path_params["serial"])
        everything = [*(signer.certificate for signer in authority.signers()), *authority.crosses()]
        certificate = next((own for own in everything if serial_of(own) == serial), None)
        if certificate is None:
            raise NotFoundError("the authority has no certificate of its own with this serial number")
        revocations.revoke_own(certificate, _CODES[asked.reason])
        signer = next((signer for signer in authority.signers() if signer.certificate == certificate), None)
        return JSONResponse(shown(certificate, signer))

    return [
        Route("/authority", list_, methods=["GET"]),
        Route("/authority/rotate", rotate, methods=["POST"]),
        Route("/authority/{serial}/revoke", revoke, methods=["POST"]),
    ]
