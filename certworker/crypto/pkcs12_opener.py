"""Opens one PKCS#12 file, as a program of its own: `python -I pkcs12_opener.py` with the file on standard input.

How much work a file asks for can lie inside of its own encryption, so no look at it tells. Here the system ends what takes too
long, and nobody else waits for it. Standard input is the password's length in four bytes, the password and the file; standard
output is JSON. It stands alone, and knows nothing of the rest.
"""

import json
import resource
import sys
from base64 import b64encode

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

CPU_SECONDS = 5
LENGTH_BYTES = 4
UNSUPPORTED, UNREADABLE, CLOSED = "unsupported", "unreadable", "closed"


def open_(content: bytes, password: bytes) -> dict[str, object]:
    """Give the key, if there is one, and the certificates; or in `error` why there are none."""
    error = CLOSED
    # a file without a password has an empty one, or none at all, which is not the same to PKCS#12
    for given in (password,) if password else (b"", None):
        try:
            found = pkcs12.load_pkcs12(content, given)
            certificates = [one.certificate for one in (found.cert, *found.additional_certs) if one]
            key = found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) if found.key else b""
        except (UnsupportedAlgorithm, TypeError, InternalError):
            return {"error": UNSUPPORTED}
        except ValueError as refused:
            error = UNREADABLE if "deserialize" in str(refused) else CLOSED
        else:
            return {"key": _text(key), "certificates": [_text(one.public_bytes(Encoding.DER)) for one in certificates]}
    return {"error": error}


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def main() -> None:
    """Open what is on standard input."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a private key is in here
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    length = int.from_bytes(sys.stdin.buffer.read(LENGTH_BYTES), "big")
    password = sys.stdin.buffer.read(length)
    json.dump(open_(sys.stdin.buffer.read(), password), sys.stdout)


if __name__ == "__main__":
    main()
