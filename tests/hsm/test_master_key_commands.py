"""A deployment whose master key is in a token, by the commands of an operator: set up, rotated, and opened again."""

from pathlib import Path

import pytest

from certworker.bootstrap import open_house, open_source
from certworker.cli.exits import ExitCode
from certworker.seal.sources import MakingSource
from certworker.settings import load_settings
from tests.cli.test_seal_commands import Operator
from tests.support.softhsm import SoftToken
from tests.vault.test_resealing import records

pytestmark = pytest.mark.system("softhsm2-util")


def test_a_master_key_in_a_token_is_made_and_rotated_there(soft_token: SoftToken, tmp_path: Path) -> None:
    """Init makes it; a rotation makes another one beside it, and nothing of either lies in the folder; the old one is kept."""
    operator = Operator(tmp_path)
    hsm = soft_token.settings
    operator.config.write_text(
        f'[hsm]\nmodule = "{hsm.module}"\ntoken_label = "{hsm.token_label}"\npin_file = "{hsm.pin_file}"\n'
        '[seal]\nmaster_key_label = "the master of this test"\n'
    )
    assert "the master of this test" in operator.give("init").stderr
    operator.give("init", code=ExitCode.CONFLICT)
    before = operator.status()
    assert before["key_present"] == before["key_in_force"]
    assert "token" in str(before["source"])
    done = operator.give("seal", "rotate-master")
    assert f"old key {before['key_in_force']} is there still" in done.stderr
    after = operator.status()
    assert after["key_present"] == after["key_in_force"] != before["key_in_force"]
    operator.give("seal", "rotate-vault-keys")
    refused = operator.give("seal", "rotate-master", "--new-key-file", str(operator.config), code=ExitCode.ERROR)
    assert "without --new-key-file" in refused.stderr
    settings = load_settings(operator.config, {})
    with open_house(settings) as house:
        found = records(house.store)
        assert found
        assert all(house.keyring.open(one.vault_id, one.sealed, one.place) for one in found)
    with open_source(settings) as source:
        assert isinstance(source, MakingSource)
        assert source.ids() == sorted([str(before["key_in_force"]), str(after["key_in_force"])])
    assert not list(tmp_path.glob("master.key*"))


def test_a_label_without_a_token_says_what_is_missing(tmp_path: Path) -> None:
    """No key is made elsewhere in its place."""
    operator = Operator(tmp_path)
    operator.settings('master_key_label = "the master of this test"')
    assert "set hsm.module" in operator.give("init", code=ExitCode.ERROR).stderr
    assert not list(tmp_path.glob("master.key*"))
