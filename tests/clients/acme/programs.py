"""Programs that others wrote, run to their end, and what is asked of the certificates that they leave."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from tests.clients.acme.authority import ROOT, Authority

PROGRAMS = ROOT / ".venv" / "clients" / "bin"
INSTALLED = ".venv/clients/.made"
"""What `make test-clients` leaves when the programs from PyPI are there."""


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None, seconds: float = 60) -> str:
    """Run a program; give what it said. It fails with that when the program does."""
    ended = subprocess.run(
        [str(part) for part in command],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def assert_issued(authority: Authority, chain: bytes, *names: str) -> int:
    """Show that a PEM chain leads to the authority's root and that its book has it; give the serial number."""
    leaf, *issuers = x509.load_pem_x509_certificates(chain)
    at = datetime.now(UTC)  # noqa: TID251 - what others obtain is valid in real time
    roots = Store(x509.load_pem_x509_certificates(authority.bundle.read_bytes()))
    verifier = PolicyBuilder().store(roots).time(at)
    for name in names:
        verifier.build_server_verifier(x509.DNSName(name.replace("*", "any"))).verify(leaf, issuers)
    entry = authority.book(leaf.serial_number)
    assert set(entry["names"]) == set(names)
    assert entry["status"] == "valid"
    return leaf.serial_number


def assert_renewed(authority: Authority, chain: bytes, former: int, *names: str) -> int:
    """Show that the chain is another one than the former; give its serial number."""
    serial = assert_issued(authority, chain, *names)
    assert serial != former
    return serial


def assert_revoked(authority: Authority, serial: int, reason: str) -> None:
    """Show that the book has the revocation with its reason, in the word of RFC 5280."""
    entry = authority.book(serial)
    assert (entry["status"], entry["reason"]) == ("revoked", reason)
