"""What the tests of the doctor stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ca_sim.clock import utc_now
from ca_sim.server import Running, serve_in_thread
from ca_sim.settings import read
from tests.doctor.patient import Patient, new_patient


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """Give a deployment that is well."""
    return new_patient(tmp_path)


@pytest.fixture(scope="package")
def authority() -> Iterator[Running]:
    """Serve a simulated CA over TLS."""
    ports = {"port": 0, "management_port": 0, "public_port": 0, "digicert": {"port": 0}, "globalsign": {"port": 0}}
    with serve_in_thread(read(ports), utc_now) as running:
        yield running


@pytest.fixture
def bundle(authority: Running, tmp_path: Path) -> Path:
    """Give the file of the CA's root."""
    path = tmp_path / "root.pem"
    path.write_bytes(authority.root_pem)
    return path
