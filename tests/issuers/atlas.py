"""An issuer at the simulated GlobalSign Atlas: its record, its settings, and the client certificate that it is let in by."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.in_process import InProcess
from ca_sim.planes import PlaneName
from certworker.settings import IssuerSettings
from certworker.vault.issuers import IssuerParameters
from tests.ca_sim.atlas import ACCOUNT, AtlasCaller


def client_certificate(authority: InProcess, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """Have management issue a client certificate; give its DER."""
    caller = AtlasCaller(authority, key or ec.generate_private_key(ec.SECP256R1()))
    caller.get_certificate()
    assert caller.certificate
    return caller.certificate


def globalsign_issuer(authority: InProcess) -> tuple[IssuerParameters, IssuerSettings]:
    """Take certificates from Atlas."""
    record = IssuerParameters("GlobalSign", ACCOUNT["api_key"], ACCOUNT["api_secret"])
    return record, IssuerSettings(url=f"{authority.house.bases[PlaneName.GLOBALSIGN]}/v2")


def leaf(pem: str) -> bytes:
    """Give the DER of the first certificate of a PEM text."""
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
