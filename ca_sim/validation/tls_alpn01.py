"""The tls-alpn-01 challenge: a certificate shown in a handshake of its own protocol (RFC 8737; for addresses RFC 8738)."""

import asyncio
import hashlib
import hmac
import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ObjectIdentifier

from ca_sim.identifiers import Identifier
from ca_sim.problems import ConnectionFailedError, TlsError, UnauthorizedError
from ca_sim.validation.resolver import Resolver
from ca_sim.validation.unchecked_tls import unchecked_context

PROTOCOL = "acme-tls/1"
ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
FAREWELL_SECONDS = 0.5
"""How long a server has to close the connection too."""
_OCTETS_OF_32 = b"\x04\x20"  # DER: an OCTET STRING of the length of a SHA-256 digest


@dataclass(frozen=True, slots=True)
class Shown:
    """What a handshake brought: the protocol that the server chose, and its certificate in DER."""

    protocol: str | None
    certificate: bytes


class TlsAlpn01:
    """Connects to `port` in place of 443. Calling it is a `Validate`."""

    def __init__(self, resolve: Resolver, *, port: int, timeout_seconds: float) -> None:
        self._resolve = resolve
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._context = unchecked_context(PROTOCOL)

    async def __call__(self, identifier: Identifier, token: str, key_authorization: str) -> None:
        """Make the handshake and look at the certificate, all within the timeout."""
        del token  # it is within the key authorization
        try:
            async with asyncio.timeout(self._timeout_seconds):
                shown = await self._meet(identifier)
        except TimeoutError as error:
            raise ConnectionFailedError(
                f"{identifier.value} port {self._port}: no handshake within {self._timeout_seconds:g} s"
            ) from error
        if shown.protocol != PROTOCOL:
            raise UnauthorizedError(f"the server of {identifier.value} does not negotiate {PROTOCOL}")
        flaw = flaw_of(shown.certificate, identifier, hashlib.sha256(key_authorization.encode("ascii")).digest())
        if flaw:
            raise UnauthorizedError(f"the certificate that {identifier.value} shows {flaw}")

    async def _meet(self, identifier: Identifier) -> Shown:
        failure = ""
        for address in await self._resolve(identifier):
            try:
                return await self._shake_hands(address, server_name(identifier))
            except ssl.SSLError as error:
                raise TlsError(f"{address} port {self._port}: {error.reason or error}") from error
            except OSError as error:
                failure = f"{address} port {self._port}: {error.strerror or error}"
        raise ConnectionFailedError(f"connecting to {identifier.value} at {failure}")

    async def _shake_hands(self, address: str, name: str) -> Shown:
        _, writer = await asyncio.open_connection(
            address, self._port, ssl=self._context, server_hostname=name, ssl_shutdown_timeout=FAREWELL_SECONDS
        )
        try:
            tls = writer.get_extra_info("ssl_object")
            return Shown(tls.selected_alpn_protocol(), tls.getpeercert(binary_form=True) or b"")
        finally:
            # Closed in good order, so that the server's side of the handshake is complete as well.
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def server_name(identifier: Identifier) -> str:
    """Give the name for the handshake: for an address it is that of its reverse mapping (RFC 8738 section 6)."""
    return identifier.value if identifier.type == "dns" else ipaddress.ip_address(identifier.value).reverse_pointer


def flaw_of(der: bytes, identifier: Identifier, digest: bytes) -> str | None:
    """Say what a certificate lacks to prove control of an identifier (RFC 8737 section 3), or give None."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        extensions = certificate.extensions
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, TypeError):
        return "is not signed by itself"
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return "cannot be read, or is not signed by itself"
    return _flaw_of_names(extensions, identifier) or _flaw_of_proof(extensions, digest)


def _flaw_of_names(extensions: x509.Extensions, identifier: Identifier) -> str | None:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "has no subjectAltName"
    kind = x509.DNSName if identifier.type == "dns" else x509.IPAddress
    # Names are compared without regard to case.
    found = [str(name.value).lower() for name in names if isinstance(name, kind)]
    right = len(list(names)) == 1 and found == [identifier.value]
    return None if right else f"is not for {identifier.value} alone"


def _flaw_of_proof(extensions: x509.Extensions, digest: bytes) -> str | None:
    try:
        proof = extensions.get_extension_for_oid(ACME_IDENTIFIER)
    except x509.ExtensionNotFound:
        return "has no acmeIdentifier"
    if not proof.critical:
        return "has an acmeIdentifier that is not critical"
    value = proof.value.public_bytes()
    return None if hmac.compare_digest(value, _OCTETS_OF_32 + digest) else "has the acmeIdentifier of something else"
