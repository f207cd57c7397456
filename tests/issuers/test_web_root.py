"""http-01 by files below a web root, which a web server of somebody else's shows to Pebble."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from certworker.issuers.acme import AcmeIssuerSettings, ChallengeSettings
from certworker.issuers.acme.solvers import Proof, Unsolved
from certworker.issuers.acme.web_root import WebRootSolver
from certworker.vault.issuance import Pending
from tests.issuers.journey import NOON, Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard, serving
from tests.issuers.pebble import running_pebble

PLACE = Path(".well-known/acme-challenge")


class Quiet(SimpleHTTPRequestHandler):
    """A web server as Python brings it."""

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        """Say nothing."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a web root."""
    root = tmp_path / "www"
    root.mkdir()
    return root


@pytest.fixture
def journey(root: Path, tmp_path: Path) -> Iterator[Journey]:
    """Begin an issuance at a Pebble that looks at this root."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    with serving(Quiet, server) as port, running_pebble(tmp_path, port) as pebble:
        settings = AcmeIssuerSettings(pebble.ca_bundle, ChallengeSettings(web_root=root))
        yield Journey(make_request(pebble.directory, "one.example.test", "two.example.test"), MemoryBoard(), settings)


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_files_are_there_while_they_are_needed(journey: Journey, root: Path) -> None:
    """Readable for a web server of another user, and gone before the order is finalized."""
    journey.until_step("answered")
    files = list((root / PLACE).iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o644}
    assert {folder.stat().st_mode & 0o777 for folder in (root / PLACE, (root / PLACE).parent)} == {0o755}
    assert [file.read_text().partition(".")[0] for file in files] == [file.name for file in files]
    journey.until_step("cleared")
    assert list((root / PLACE).iterdir()) == []
    assert_issued(journey.run(), "one.example.test", "two.example.test")
    assert journey.board.seen == {}


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_a_root_that_cannot_be_written_to_is_told(journey: Journey, root: Path, tmp_path: Path) -> None:
    """Missing, or with a file in the way: the operation waits, and goes on once it is mended."""
    (root / ".well-known").write_text("in the way")
    for wrong, words in ((tmp_path / "none", "No such file or directory"), (root, "Not a directory|File exists")):
        journey.settings = replace(journey.settings, challenge=ChallengeSettings(web_root=wrong))
        failure = journey.until(lambda result: isinstance(result, Pending) and result.failure is not None)
        assert re.search(f"cannot be written below web_root {wrong}: ({words})", str(failure))
    (root / ".well-known").unlink()
    assert_issued(journey.run(), "one.example.test", "two.example.test")


@pytest.mark.parametrize("token", ["../secret", "..", "a/b", "/etc/passwd", "", ".hidden", "a\x00b", "a\n", "x" * 600])
def test_no_token_leads_out_of_the_root(root: Path, token: str) -> None:
    """What is no token of ACME is neither written nor removed."""
    (root / PLACE).mkdir(parents=True)
    secret = root / PLACE.parent / "secret"
    secret.write_text("mine")
    proof = Proof("http-01", "https://ca.test/order", "www.example.test", token, "response")
    solver = WebRootSolver(root)
    with pytest.raises(Unsolved, match="no file name"):
        solver.present(proof, NOON, insist=False)
    with pytest.raises(Unsolved, match="no file name"):
        solver.clean_up(proof)
    assert secret.read_text() == "mine"
    assert list((root / PLACE).iterdir()) == []


def test_it_can_be_asked_twice(root: Path) -> None:
    """Present and clean up are the same the second time; a link in the way of what is written is not followed."""
    proof = Proof("http-01", "https://ca.test/order", "www.example.test", "token", "token.response")
    solver = WebRootSolver(root)
    victim = root / "victim"
    victim.write_text("mine")
    solver.present(proof, NOON, insist=False)
    (root / PLACE / "token").unlink()
    (root / PLACE / "token").symlink_to(victim)
    for _ in range(2):
        solver.present(proof, NOON, insist=False)
    assert (root / PLACE / "token").read_text() == "token.response"
    assert victim.read_text() == "mine"
    for _ in range(2):
        solver.clean_up(proof)
    assert list((root / PLACE).iterdir()) == []
    assert solver.unseen(proof) is None
