"""Several processes at one token."""

import subprocess
import sys
from time import sleep
from uuid import uuid4

import pytest

from certworker.crypto.keys import KeyKind
from certworker.hsm.token import Token
from tests.conftest import ROOT
from tests.support.softhsm import SoftToken

pytestmark = pytest.mark.system("softhsm2-util")

EC = KeyKind("EC", None, "P-256")


def test_four_processes_use_the_token_at_once(soft_token: SoftToken, token: Token) -> None:
    """Four processes of four threads, and this one, make, use and destroy keys in one token, and no work of any fails."""
    shared = token.generate(uuid4().hex, EC)
    before = token.run(lambda session: len(session.find({})))
    command = [sys.executable, "-m", "tests.hsm.signer", soft_token.label, str(soft_token.pin_file), shared.id]
    pipe = subprocess.PIPE
    children = []
    for _ in range(4):
        # one after the other: SoftHSM writes its token's state when one logs in, and who opens it in that moment sees no token
        child = subprocess.Popen([*command, shared.public_key.hex()], cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    key = token.use(shared.id, EC, shared.public_key)
    while any(child.poll() is None for child in children):
        assert key.verify("ES256", bytes(32), key.sign("ES256", bytes(32)))
    ends = [(child.returncode, child.communicate()[1]) for child in children]
    assert [code for code, _ in ends] == [0] * 4, ends
    assert all(line.endswith("its sessions are opened anew") for _, said in ends for line in said.splitlines()), ends
    # what SoftHSM lists is behind what others did, for a moment
    for _ in range(20):
        if (after := token.run(lambda session: len(session.find({})))) == before:
            break
        sleep(0.02)
    assert after == before
