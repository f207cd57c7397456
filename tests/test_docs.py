"""docs/key-vault.md tells of every operation, and tells the truth."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.api.world import Caller, open_world
from tests.support.clock import FakeClock

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "key-vault.md"
STATES: Final = ("whole", "in part")
ROW: Final = re.compile(r"^\| `(?P<operation>[A-Z]+ /[^`]*)` \| (?P<state>[^|]*) \|(?P<remarks>[^|]*)\|$")
CERTIFICATES: Final = """
GET /certificates
PUT GET DELETE /certificates/contacts
GET /certificates/issuers
PUT PATCH GET DELETE /certificates/issuers/{name}
POST /certificates/restore
DELETE /certificates/{name}
POST /certificates/{name}/backup
POST /certificates/{name}/create
POST /certificates/{name}/import
PATCH GET DELETE /certificates/{name}/pending
POST /certificates/{name}/pending/merge
GET PATCH /certificates/{name}/policy
GET /certificates/{name}/versions
PATCH GET /certificates/{name}/{version}
GET /deletedcertificates
GET DELETE /deletedcertificates/{name}
POST /deletedcertificates/{name}/recover
"""
SECRETS: Final = """
GET /deletedsecrets
GET DELETE /deletedsecrets/{name}
POST /deletedsecrets/{name}/recover
GET /secrets
POST /secrets/restore
PUT DELETE /secrets/{name}
POST /secrets/{name}/backup
GET /secrets/{name}/versions
PATCH GET /secrets/{name}/{version}
"""
KEYS: Final = """
GET /deletedkeys
GET DELETE /deletedkeys/{name}
POST /deletedkeys/{name}/recover
GET /keys
POST /keys/restore
PUT DELETE /keys/{name}
POST /keys/{name}/backup
POST /keys/{name}/create
POST /keys/{name}/rotate
GET PUT /keys/{name}/rotationpolicy
GET /keys/{name}/versions
PATCH GET /keys/{name}/{version}
GET /keys/{name}/{version}/attestation
POST /keys/{name}/{version}/decrypt
POST /keys/{name}/{version}/encrypt
POST /keys/{name}/{version}/release
POST /keys/{name}/{version}/sign
POST /keys/{name}/{version}/unwrapkey
POST /keys/{name}/{version}/verify
POST /keys/{name}/{version}/wrapkey
POST /rng
"""


def operations() -> list[str]:
    """List the operations of Key Vault's newest api-versions, one verb and path each."""
    lines = (CERTIFICATES + SECRETS + KEYS).split("\n")
    return [f"{verb} {line.split()[-1]}" for line in lines if line for verb in line.split()[:-1]]


def rows() -> dict[str, str]:
    """Read the document's tables: each operation's state."""
    found = [match for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if (match := ROW.match(line))]
    assert len({match["operation"] for match in found}) == len(found), "an operation is there twice"
    return {match["operation"]: match["state"] for match in found}


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Call one deployment for all operations."""
    with open_world(tmp_path_factory.mktemp("docs"), FakeClock()) as world:
        yield Caller(world)


def test_every_operation_is_a_row() -> None:
    """Neither more nor fewer than Key Vault has, and each in a state that the document explains."""
    assert len(operations()) == 64
    assert sorted(rows()) == sorted(operations())
    assert set(rows().values()) <= set(STATES)


@pytest.mark.parametrize("operation", operations())
def test_every_operation_is_served(call: Caller, operation: str) -> None:
    """It answers for itself, if only that there is no such thing."""
    method, _, path = operation.partition(" ")
    answer = call(method, path.format(name="web", version="0" * 32))
    error = answer.json()["error"] if answer.content and answer.status_code >= 400 else {}
    assert answer.status_code != 405, answer.text
    assert error.get("code") != "NotFound", answer.text
