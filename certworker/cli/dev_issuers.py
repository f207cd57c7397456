"""The issuers of a dev home: one for each kind of API that the simulated CA speaks."""

from certworker.api import server_certificate
from certworker.bootstrap import House
from certworker.cli.dev_settings import (
    CLIENT,
    DIGICERT_ACCOUNT,
    DIGICERT_KEY,
    DIGICERT_ORGANIZATION,
    GLOBALSIGN_KEY,
    GLOBALSIGN_SECRET,
)
from certworker.cli.home import DIGICERT_ISSUER, GLOBALSIGN_ISSUER, ISSUER, Ports
from certworker.crypto.extensions import SubjectNames
from certworker.errors import CertificateNotFound, OperationInProgress, SetupError
from certworker.vault.access import SERVICE
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationStatus, working_on
from certworker.vault.policy import CLIENT_AUTH, KeyProperties, Policy, X509Properties, complete
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.vaults import Vault


def set_issuers(house: House, vault: Vault, ports: Ports) -> None:
    """Set them, and make the client certificate unless it is there. Raises SetupError."""
    organization = f'{{"id": "{DIGICERT_ORGANIZATION}"}}'
    records = {
        ISSUER: IssuerParameters("Acme", f"https://localhost:{ports.acme}/directory"),
        DIGICERT_ISSUER: IssuerParameters("DigiCert", DIGICERT_ACCOUNT, DIGICERT_KEY, organization),
        GLOBALSIGN_ISSUER: IssuerParameters("GlobalSign", GLOBALSIGN_KEY, GLOBALSIGN_SECRET),
    }
    for name, record in records.items():
        house.issuers.set(SERVICE, vault, name, record)
    system = house.founding.system_vault()
    if system is None:
        raise SetupError("The service's own vault is missing from the database.")
    try:
        house.certificates.get(SERVICE, system, CLIENT)
    except CertificateNotFound:
        _make_client(house, system)


def _make_client(house: House, vault: Vault) -> None:
    try:
        operation = house.issuances.begin(vault, CLIENT, _policy(), tags={}, enabled=True)
    except OperationInProgress:
        operation = house.certificates.operation(SERVICE, vault, CLIENT)
    with working_on(operation):
        house.progression.advance(operation)
    ended = house.certificates.operation(SERVICE, vault, CLIENT)
    if ended.status is not OperationStatus.COMPLETED:
        raise SetupError(f"The client certificate {CLIENT} cannot be made: {ended.error_message or ended.status_details}")


def _policy() -> Policy:
    names = SubjectNames(dns_names=("client.localhost",))
    x509 = X509Properties("CN=client.localhost", names, (CLIENT_AUTH,), ("digitalSignature",), 1)
    key = KeyProperties("EC", None, "P-256")
    return complete(Policy(key=key, x509=x509, issuer=PolicyIssuer(server_certificate.ISSUER)))
