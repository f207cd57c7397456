"""Each rule of the house can fail, and leaves alone what is right."""

from collections.abc import Callable

import pytest

from tests.support import house
from tests.support.source import Finding, Source

Rule = Callable[[Source], list[Finding]]

BROKEN: list[tuple[Rule, str, str, str]] = [
    (house.check_stair, "certworker.vault.keys", "import certworker.store.tables", "vault may not import store"),
    (house.check_stair, "certworker.vault.keys", "from certworker import store", "vault may not import store"),
    (house.check_stair, "certworker.vault.keys", "from ..store import tables", "vault may not import store"),
    (house.check_stair, "certworker.vault.__init__", "from ..store.tables import Row", "vault may not import store"),
    (house.check_stair, "certworker.audit.log", "from certworker.hsm import pool", "audit may not import hsm"),
    (house.check_stair, "certworker.api.app", "def go():\n    import certworker.worker", "api may not import worker"),
    (house.check_stair, "certworker.clock", "from certworker.crypto import x509", "clock may not import crypto"),
    (house.check_stair, "certworker.__init__", "from certworker import clock", "certworker may not import clock"),
    (
        house.check_stair,
        "certworker.crypto.keys",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from certworker.vault.objects import Key",
        "crypto may not import vault",
    ),
    (
        house.check_stair,
        "certworker.bootstrap",
        "from importlib import import_module\nimport_module('certworker.cli.main')",
        "bootstrap may not import cli",
    ),
    (house.check_libraries, "certworker.vault.keys", "from sqlmodel import Field", "only in certworker.store"),
    (house.check_libraries, "certworker.api.keys", "import cryptography.x509", "only in certworker.crypto"),
    (house.check_libraries, "certworker.worker.rounds", "import apscheduler", "only in certworker.worker.scheduler"),
    (house.check_libraries, "certworker.issuers.digicert", "import requests", "only in certworker.issuers.acme"),
    (house.check_libraries, "certworker.worker.notify", "from urllib import request", "only in certworker.network"),
    (house.check_libraries, "certworker.cli.dev", "from ca_sim.app import main", "only in certworker.simulate"),
    (house.check_libraries, "ca_sim.app", "from certworker import clock", "it stands alone"),
    (house.check_state, "certworker.vault.keys", "cache = {}", "module-level state `cache`"),
    (house.check_state, "certworker.vault.keys", "cache: dict[str, str] = dict()", "module-level state `cache`"),
    (house.check_state, "certworker.vault.keys", "import x\nseen = x.defaultdict[str, int](int)", "state `seen`"),
    (house.check_state, "certworker.vault.keys", "try:\n    names = [1]\nexcept E:\n    pass", "state `names`"),
    (house.check_state, "certworker.vault.keys", "N = []\ndef f():\n    N.append(1)", "`N` is a constant"),
    (house.check_state, "certworker.vault.keys", "N = {}\ndef f():\n    N['a'] = 1", "`N` is a constant"),
    (house.check_state, "certworker.api.keys", "import x\ndef f():\n    del x.TABLE['a']", "`TABLE` is a constant"),
    (house.check_state, "certworker.vault.keys", "x = 0\ndef f():\n    global x\n    x = 1", "no `global`"),
    (house.check_size, "certworker.api.keys", "x = 1\n" * 501, "501 lines"),
    (house.check_size, "certworker.api.keys", "def long():\n" + "    x = 1\n" * 60, "`long` has 61 lines"),
    (house.check_docstrings, "tests.test_x", "def test_it(): ...", "`test_it` needs a docstring"),
    (house.check_docstrings, "tests.test_x", "async def test_it():\n    '''One.\n\n    Two.'''", "of one line"),
    (house.check_exceptions, "certworker.api.app", "try:\n    f()\nexcept:\n    raise", "bare except"),
    (house.check_exceptions, "certworker.api.app", "try:\n    f()\nexcept Exception:\n    pass", "in silence"),
    (house.check_exceptions, "certworker.api.app", "try:\n    f()\nexcept (E, BaseException):\n    ...", "in silence"),
    (house.check_exceptions, "certworker.api.app", "with suppress(Exception):\n    f()", "suppress()"),
]

RIGHT: list[tuple[Rule, str, str]] = [
    (house.check_stair, "certworker.settings", "from certworker import clock, errors"),
    (house.check_stair, "certworker.vault.keys", "from . import objects\nfrom .policy import Policy"),
    (house.check_stair, "certworker.cli.main", "from certworker.simulate import years\nimport certworker.vault.keys"),
    (house.check_stair, "ca_sim.app", "import ca_sim.authority.hierarchy"),
    (house.check_libraries, "certworker.simulate.years", "from ca_sim.authority.hierarchy import Authority"),
    (house.check_libraries, "certworker.store.engine", "from sqlalchemy import event\nimport sqlite3"),
    (house.check_libraries, "certworker.issuers.acme", "from acme import client\nimport josepy"),
    (house.check_libraries, "certworker.vault.keys", "from certworker.vault import acme\nfrom . import requests"),
    (house.check_libraries, "ca_sim.app", "import starlette, cryptography, josepy"),
    (house.check_state, "certworker.vault.keys", "NAMES = {'a': 1}\n_SEEN: Final = [1]\n__all__ = ['x']"),
    (house.check_state, "certworker.vault.keys", "names = frozenset({1})\npairs = tuple([1])\nlog = getLogger()"),
    (house.check_state, "certworker.vault.keys", "def f():\n    seen = {}\n    seen['a'] = 1\n    return seen"),
    (house.check_state, "certworker.store.migrations.versions.first", "tables = ['a']"),
    (house.check_size, "certworker.api.keys", "x = 1\n" * 440 + "def long():\n" + "    x = 1\n" * 59),
    (house.check_docstrings, "tests.test_x", "def test_it():\n    '''It works.'''\ndef other(): ..."),
    (house.check_exceptions, "certworker.api.app", "try:\n    f()\nexcept Exception:\n    log()\n    raise"),
    (house.check_exceptions, "certworker.api.app", "try:\n    f()\nexcept KeyError:\n    pass"),
]


@pytest.mark.parametrize(("rule", "module", "text", "advice"), BROKEN)
def test_a_rule_finds_what_breaks_it(rule: Rule, module: str, text: str, advice: str) -> None:
    """A source that breaks a rule gets one finding, which says where it is and what would be right."""
    findings = rule(Source.of(module, text))
    assert [advice in finding.advice for finding in findings] == [True]
    assert str(findings[0]).startswith(f"{module.replace('.', '/')}.py:{findings[0].line}: ")


@pytest.mark.parametrize(("rule", "module", "text"), RIGHT)
def test_a_rule_leaves_alone_what_is_right(rule: Rule, module: str, text: str) -> None:
    """A source that keeps a rule gets no finding."""
    assert rule(Source.of(module, text)) == []


def test_a_finding_names_the_line() -> None:
    """The line is that of the import, not that of the file's start."""
    (finding,) = house.check_stair(Source.of("certworker.crypto.keys", '"""Keys."""\n\nimport certworker.vault'))
    assert str(finding).startswith("certworker/crypto/keys.py:3: crypto may not import vault")


def test_a_cycle_is_found_and_told_once() -> None:
    """Three modules that import each other in a ring, one of them inside a function, are one finding."""
    ring = [
        Source.of("certworker.vault.a", "from certworker.vault import b"),
        Source.of("certworker.vault.b", "from .c import thing"),
        Source.of("certworker.vault.c", "def f():\n    import certworker.vault.a"),
        Source.of("certworker.vault.d", "from certworker.vault import a"),
    ]
    (finding,) = house.find_cycles(ring)
    assert "certworker.vault.a -> certworker.vault.b -> certworker.vault.c -> certworker.vault.a" in finding.advice


def test_a_package_that_gathers_its_modules_is_no_cycle() -> None:
    """A module may use its neighbour while the package's own file imports both; asking the package back is a cycle."""
    package = Source.of("certworker.vault.__init__", "from certworker.vault.a import A\nfrom .b import B")
    a = Source.of("certworker.vault.a", "from certworker.vault.b import B")
    assert house.find_cycles([package, a, Source.of("certworker.vault.b", "B = 1")]) == []
    assert house.find_cycles([package, a, Source.of("certworker.vault.b", "from . import A")])


def test_a_room_that_is_not_in_the_layout_is_found() -> None:
    """A name that the stair does not know may not stand on the top level of certworker/."""
    assert [str(finding) for finding in house.check_layout(["vault", "clock.py", "misc.py"])] == [
        "certworker/misc.py:1: no room of that name: put it in a room, or add the room to STAIR on purpose"
    ]


@pytest.mark.parametrize("path", ["certworker/utils.py", "ca_sim/common/x.py", "certworker/vault/key_helpers.py"])
def test_a_vague_name_is_found(path: str) -> None:
    """Such a word is found as a file, as a folder and as the last word of a name."""
    assert len(house.check_name(path)) == 1


def test_a_name_that_only_begins_with_such_a_word_is_right() -> None:
    """A common name is a noun of X.509."""
    assert house.check_name("certworker/crypto/common_name.py") == []


@pytest.mark.parametrize("mark", ["TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error"])
def test_a_mark_of_unfinished_work_is_found(mark: str) -> None:
    """Each mark is found, with its line, and not inside a longer word."""
    (finding,) = house.check_finished("README.md", f"One.\n# {mark}: two")
    assert finding.line == 2
    assert house.check_finished("README.md", f"{mark}Y and mktemp -t {mark}Y") == []
