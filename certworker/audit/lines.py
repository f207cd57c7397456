"""A line of the log: a record's JSON with `integrity` as its last member. The format is specified in docs/audit.md.

The hash of a line is SHA-256 over the hash of the line before it (32 bytes; zeros before the first) and all of this line's own
bytes before the hash's digits. So the digits stand at a fixed place, and nobody has to read JSON to check a chain.
"""

from hashlib import sha256
from typing import Final

NO_HASH: Final = bytes(32)
"""What stands for the hash before a chain's first line."""

END: Final = b'"}}\n'
DIGITS: Final = 64
TAIL: Final = DIGITS + len(END)


def seal_line(previous: bytes, text: str, chain_id: str, sequence: int) -> tuple[bytes, bytes]:
    """Make the line of a record's JSON, which is one object on one line; give it with its hash."""
    begin = f'{text[:-1]},"integrity":{{"chain":"{chain_id}","sequence":{sequence},"hash":"'.encode()
    digest = sha256(previous + begin).digest()
    return b"%b%b%b" % (begin, digest.hex().encode(), END), digest
