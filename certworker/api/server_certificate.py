"""The server's own certificate: one like any other, in the service's own vault, or a pair of files.

A rotation reaches new connections without a restart: each handshake takes the newest context.
"""

import ipaddress
import logging
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.x509 import read_certificate, to_pem
from certworker.errors import CertificateNotFound, OperationInProgress, SetupError
from certworker.settings import Server, Settings
from certworker.vault.access import SERVICE
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationStatus, working_on
from certworker.vault.policy import PEM, SERVER_AUTH, KeyProperties, Policy, X509Properties, complete
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.vaults import Vault

NAME = "server"
ISSUER = "local-root"
_PLANES = ("management", "login", "graph", "*.vault")

_log = logging.getLogger(__name__)


class ServerCertificate:
    """Finds the server's certificate, makes it on the first start, and follows its rotation."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tag = ""
        self._current: ssl.SSLContext | None = None

    def ensure(self) -> None:
        """Make the certificate unless there is one for the names of today. Done once, before the API starts.

        Raises SetupError where it cannot be made.
        """
        if self._house.settings.server.certificate_file:
            return
        vault, wanted = self._vault(), server_names(self._house.settings)
        if self._names(vault) == wanted:
            return
        self._house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Local"))
        try:
            operation = self._house.issuances.begin(vault, NAME, _policy(wanted), tags={}, enabled=True)
        except OperationInProgress:
            operation = self._house.certificates.operation(SERVICE, vault, NAME)
        with working_on(operation):
            self._house.progression.advance(operation)
        ended = self._house.certificates.operation(SERVICE, vault, NAME)
        if ended.status is not OperationStatus.COMPLETED:
            raise SetupError(f"The server's own certificate cannot be made: {ended.error_message or ended.status_details}")

    def root(self) -> bytes:
        """Give the PEM bundle that clients check the server by."""
        file = self._house.settings.server.certificate_file
        if file:
            return _read(file)
        root = self._house.local.root_certificate(self._vault().id, ISSUER, whole_second(self._house.clock()))
        return to_pem((root,))

    def context(self) -> ssl.SSLContext:
        """Give the context to listen with. It hands each handshake on to the newest one."""
        self.refresh()
        if self._current is None:
            raise SetupError("The server has no certificate.")
        listening = load_context(self._pem())
        listening.sni_callback = self._take_newest
        return listening

    def refresh(self) -> bool:
        """Look whether the certificate was rotated, and take the new one up; tell whether it was."""
        tag = self._read_tag()
        if tag == self._tag:
            return False
        self._current = load_context(self._pem())
        if self._tag:
            _log.info("The server's certificate was rotated; new connections get the new one.")
        self._tag = tag
        return True

    def _take_newest(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._current is not None:
            connection.context = self._current

    def _read_tag(self) -> str:
        file = self._house.settings.server.certificate_file
        if file:
            try:
                return str(file.stat().st_mtime_ns)
            except OSError as error:
                raise _unreadable(file, error) from error
        return self._house.certificates.get(SERVICE, self._vault(), NAME).version.version

    def _pem(self) -> bytes:
        named = certificate_of_files(self._house.settings.server)
        return named or self._house.secrets.get(SERVICE, self._vault(), NAME).value.encode()

    def _names(self, vault: Vault) -> SubjectNames | None:
        try:
            bundle = self._house.certificates.get(SERVICE, vault, NAME)
        except CertificateNotFound:
            return None
        return read_certificate(bundle.version.der).names

    def _vault(self) -> Vault:
        vault = self._house.founding.system_vault()
        if vault is None:
            raise SetupError("This deployment has not been set up; run `certworker init` first.")
        return vault


def load_context(pem: bytes) -> ssl.SSLContext:
    """Make the context to listen with from a private key and its certificates. Raises SetupError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _private_file(pem) as path:
            context.load_cert_chain(path)
    except (ssl.SSLError, OSError) as error:
        raise SetupError(f"The server's certificate and key do not fit together or cannot be read: {error}") from error
    return context


def certificate_of_files(server: Server) -> bytes | None:
    """Read the key and the certificate that the settings name; none where they name none. Raises SetupError."""
    if server.certificate_file and server.key_file:
        return _read(server.key_file) + b"\n" + _read(server.certificate_file)
    return None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> SetupError:
    return SetupError(f"The server's certificate or key {file} cannot be read: {error.strerror}.")


def server_names(settings: Settings) -> SubjectNames:
    """Name every host that the service answers under."""
    domain = settings.server.domain
    addresses = {address for address in settings.server.listen if not ipaddress.ip_address(address).is_unspecified}
    dns_names = (domain, *(f"{plane}.{domain}" for plane in _PLANES))
    return SubjectNames(dns_names=dns_names, ip_addresses=tuple(sorted(addresses)))


def _policy(names: SubjectNames) -> Policy:
    policy = Policy(
        key=KeyProperties("EC", None, "P-256"),
        x509=X509Properties(
            subject=f"CN={names.dns_names[0]}",
            names=names,
            ekus=(SERVER_AUTH,),
            key_usage=("digitalSignature",),
            validity_months=1,
        ),
        content_type=PEM,
        issuer=PolicyIssuer(ISSUER),
    )
    return complete(policy)


@contextmanager
def _private_file(content: bytes) -> Iterator[str]:
    """Lend `content` as a file, since OpenSSL's loader takes only paths; in memory where the system can."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("certificate", os.MFD_CLOEXEC)
        with os.fdopen(handle, "wb", closefd=True) as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{handle}"
        return
    with tempfile.NamedTemporaryFile() as file:  # mode 0600
        file.write(content)
        file.flush()
        yield str(Path(file.name))
