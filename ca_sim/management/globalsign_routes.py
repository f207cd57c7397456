"""Client certificates for the API in the style of GlobalSign Atlas: issued, listed, and let in no more."""

from typing import Annotated

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.acme.jose import PublicKey
from ca_sim.clock import Clock
from ca_sim.csr import check_key
from ca_sim.globalsign.clients import Clients
from ca_sim.globalsign.errors import UnprocessableError
from ca_sim.globalsign.possession import read_public_key
from ca_sim.management.bodies import read_shape
from ca_sim.problems import MalformedError, NotFoundError

CREATED = 201
NO_CONTENT = 204
Pem = Annotated[str, Field(max_length=16 * 1024)]


class NewClient(BaseModel):
    """The key of a client: a PEM CSR, or a PEM public key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    csr: Pem | None = None
    public_key: Pem | None = None

    def key(self) -> PublicKey:
        """Read the key. Raises MalformedError and BadCsrError."""
        if (self.csr is None) == (self.public_key is None):
            raise MalformedError("give one of csr and public_key")
        try:
            if self.public_key is not None:
                return read_public_key(self.public_key)
            return check_key(x509.load_pem_x509_csr((self.csr or "").encode()))
        except UnprocessableError as error:
            raise MalformedError(error.description) from error
        except (ValueError, x509.InvalidVersion) as error:
            raise MalformedError("csr is not a PEM certificate request") from error


def globalsign_routes(clients: Clients, real_clock: Clock) -> list[Route]:
    """Make the routes below /globalsign/clients. What TLS uses lives in real time, and so do client certificates."""

    async def issue(request: Request) -> Response:
        asked = await read_shape(request, NewClient)
        return JSONResponse({"certificate": clients.issue(asked.key(), real_clock())}, CREATED)

    async def show(_: Request) -> Response:
        return JSONResponse({"sha256": clients.list_()})

    async def dismiss(request: Request) -> Response:
        if not clients.dismiss(request.path_params["sha256"]):
            raise NotFoundError("there is no such client certificate")
        return Response(status_code=NO_CONTENT)

    return [
        Route("/globalsign/clients", issue, methods=["POST"]),
        Route("/globalsign/clients", show, methods=["GET"]),
        Route("/globalsign/clients/{sha256}", dismiss, methods=["DELETE"]),
    ]
