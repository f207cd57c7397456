"""One process of several that use a token at once: makes keys, uses its own and everybody's, and destroys what it made.

Called with the label of the token, the path of the file with its PIN, the id of a key that all use, and the hexadecimal of its
public key. Ends with 0 when everything was right.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from certworker.crypto.keys import KeyKind
from certworker.hsm.token import Token, open_token
from certworker.settings import HsmSettings
from tests.support.softhsm import softhsm_module

EC, AES = KeyKind("EC", None, "P-256"), KeyKind("oct", 256)
ROUNDS, THREADS = 15, 4


def main(label: str, pin_file: str, shared_id: str, shared_public: str) -> None:
    """Open the token and say so; work in a few threads when told to."""
    settings = HsmSettings(module=softhsm_module(), token_label=label, pin_file=Path(pin_file), sessions=THREADS)
    with open_token(settings) as token, ThreadPoolExecutor(THREADS) as threads:
        sys.stdout.write("open\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for worked in [threads.submit(work, token, shared_id, bytes.fromhex(shared_public)) for _ in range(THREADS)]:
            worked.result()


def work(token: Token, shared_id: str, shared_public: bytes) -> None:
    """Use the shared key, and an AES key made here."""
    shared = token.use(shared_id, EC, shared_public)
    key_id = uuid4().hex
    token.generate(key_id, AES)
    own = token.use(key_id, AES, b"")
    for number in range(ROUNDS):
        digest = number.to_bytes(32, "big")
        if not shared.verify("ES256", digest, shared.sign("ES256", digest)):
            raise SystemExit("a signature is wrong")
        sealed = own.encrypt("A256GCM", digest)
        if own.decrypt("A256GCM", sealed.ciphertext, sealed.iv, None, sealed.tag) != digest:
            raise SystemExit("what was encrypted is another thing")
    token.destroy(key_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
