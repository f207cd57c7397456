"""A small TLS server that shows the certificate of a tls-alpn-01 challenge, as the server of an applicant would."""

import hashlib
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
PROTOCOLS = ("acme-tls/1",)


def proof_of(key_authorization: str) -> bytes:
    """Give the value of acmeIdentifier: the digest as an OCTET STRING of DER."""
    return b"\x04\x20" + hashlib.sha256(key_authorization.encode()).digest()


def _general_name(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)


def make_pair(
    names: Sequence[str], proof: bytes | None, *, critical: bool = True, issuer: str = "shown", foreign: bool = False
) -> bytes:
    """Make a key and a certificate in PEM, of its own key unless it is `foreign`."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), _named("shown")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(_named(issuer), subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(at).not_valid_after(at + timedelta(days=3650))
    if names:
        alternative = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    if proof is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, proof), critical=critical)
    signer = ec.generate_private_key(ec.SECP256R1()) if foreign else key
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass
class TlsResponder:
    """The certificate that is shown, the protocols that are taken, and the names that clients asked for.

    After the handshake it says `answer`.
    """

    port: int = 0
    pair: bytes = b""
    protocols: Sequence[str] = PROTOCOLS
    answer: bytes = b""
    names: list[str | None] = field(default_factory=list)

    def show(self, pair: bytes, protocols: Sequence[str] = PROTOCOLS) -> None:
        """Show a certificate from now on."""
        self.pair, self.protocols = pair, protocols

    def context(self) -> ssl.SSLContext:
        """Make the context of the next connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(list(self.protocols))
        context.sni_callback = lambda _tls, name, _context: self.names.append(name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pair.pem"
            path.write_bytes(self.pair)
            context.load_cert_chain(path)
        return context

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve while the context lasts."""
        responder = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), responder.context().wrap_socket(self.request, server_side=True) as tls:
                    if responder.answer:
                        tls.recv(65536)
                        tls.sendall(responder.answer)
                    tls.recv(1)

        with _Server(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
