"""The client's side of mutual TLS: a certificate of a vault is presented, and its key is on no disk."""

import secrets
import ssl
import tempfile
from pathlib import Path

from certworker.crypto.keys import encrypted_private_pem
from certworker.crypto.x509 import to_pem
from certworker.errors import SettingsError
from certworker.vault.client_certificates import ClientCertificate


def present(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Make a context present a certificate. Raises SettingsError where the certificate and its key do not go together.

    OpenSSL takes both from a file only. It is there for a moment, in a folder of our own (mode 0700), and the key in it is
    encrypted under a passphrase that nobody else ever knows.
    """
    passphrase = secrets.token_bytes(32).hex()
    content = to_pem(certificate.certificates) + encrypted_private_pem(certificate.open_key(), passphrase.encode())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_bytes(content)
        try:
            context.load_cert_chain(file, password=passphrase)
        except ssl.SSLError as error:
            raise SettingsError(f"The client certificate {certificate.place} cannot be presented: {error.reason}.") from None
