"""BIND's name server on loopback: a zone of its own, whose TXT records are changed by dynamic updates (RFC 2136)."""

import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.support.ports import free_ports

START_SECONDS = 20.0
_ZONE = """$TTL 1
@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 1
@ NS ns.{zone}.
ns A 127.0.0.1
@ A {address}
* A {address}
{records}
"""
_SETTINGS = """options {{
  directory "{folder}"; pid-file none; session-keyfile none; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }};
}};
controls {{}};
key "{key}" {{ algorithm {algorithm}; secret "{secret}"; }};
zone "{zone}" {{ type primary; file "{folder}/zone.db"; update-policy {{ grant "{key}" zonesub TXT; }}; }};
"""


@dataclass(frozen=True)
class Named:
    """A running name server and its zone, whose names all have the address `target`. The TSIG key may change TXT records."""

    port: int
    zone: str
    target: str
    key: str
    secret: str = field(repr=False)
    algorithm: str = "hmac-sha256"

    @property
    def address(self) -> str:
        """Give address and port."""
        return f"127.0.0.1:{self.port}"

    def texts(self, name: str) -> set[str]:
        """Ask for the TXT records of a name."""
        answer = dns.query.udp(dns.message.make_query(name, "TXT"), "127.0.0.1", port=self.port, timeout=5)
        return {b"".join(item.strings).decode() for found in answer.answer for item in found}


@contextmanager
def serving_zone(folder: Path, zone: str, address: str = "127.0.0.1", records: str = "") -> Iterator[Named]:
    """Serve a zone, in which every name has one address, and further `records`. Needs the program `named`."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    named = Named(port, zone, address, "acme-update", b64encode(os.urandom(32)).decode())
    (folder / "zone.db").write_text(_ZONE.format(zone=zone, address=address, records=records))
    config, output = folder / "named.conf", folder / "output.txt"
    places = {"folder": folder, "port": port, "zone": zone}
    config.write_text(_SETTINGS.format(**places, key=named.key, secret=named.secret, algorithm=named.algorithm))
    with output.open("wb") as said:
        process = subprocess.Popen(["named", "-g", "-n", "1", "-c", str(config)], stdout=said, stderr=said)
        try:
            _wait(process, named, output)
            yield named
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: "subprocess.Popen[bytes]", named: Named, output: Path) -> None:
    query, deadline = dns.message.make_query(named.zone, "SOA"), time.monotonic() + START_SECONDS
    while True:
        try:
            if dns.query.udp(query, "127.0.0.1", port=named.port, timeout=0.2).answer:
                return
        except (OSError, dns.exception.DNSException):
            time.sleep(0.05)
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(output.read_text())
