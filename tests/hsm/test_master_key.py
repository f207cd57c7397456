"""A master key in a token."""

import os

import pytest
from pkcs11.mechanisms import Mechanism

from certworker.errors import SealBroken, SetupError
from certworker.hsm.master_key import TokenMasterKeySource
from certworker.hsm.token import Token

pytestmark = pytest.mark.system("softhsm2-util")


@pytest.fixture
def source(token: Token, request: pytest.FixtureRequest) -> TokenMasterKeySource:
    """Give a source with a label of the test's own."""
    return TokenMasterKeySource(token, f"master of {request.node.name}")


def test_what_was_wrapped_opens_at_its_place_alone(source: TokenMasterKeySource) -> None:
    """A vault key comes back whole; at another place, altered by any byte, or under another key it does not."""
    master, key = source.make(), os.urandom(32)
    wrapped = master.wrap(key, "vault/1")
    assert key not in wrapped
    assert master.unwrap(wrapped, "vault/1") == key
    assert master.wrap(key, "vault/1") != wrapped
    with pytest.raises(SealBroken):
        master.unwrap(wrapped, "vault/2")
    with pytest.raises(SealBroken):
        source.make().unwrap(wrapped, "vault/1")
    for place in range(len(wrapped)):
        altered = bytearray(wrapped)
        altered[place] ^= 1
        with pytest.raises(SealBroken):
            master.unwrap(bytes(altered), "vault/1")
    for length in (0, 1, 28, len(wrapped) - 1):
        with pytest.raises(SealBroken):
            master.unwrap(wrapped[:length], "vault/1")


def test_the_key_of_the_database_is_found_by_its_id(source: TokenMasterKeySource) -> None:
    """The only one is taken where none is wanted; after a rotation the wanted one of two; else the ids are told."""
    with pytest.raises(SetupError, match="has 0"):
        source.read(None)
    first = source.make()
    assert source.read(None).id == first.id
    second = source.make()
    assert source.read(second.id).id == second.id
    assert source.read(first.id).unwrap(first.wrap(b"k" * 32, "p"), "p") == b"k" * 32
    with pytest.raises(SetupError, match=f"(?s)has 2.*{min(first.id, second.id)}"):
        source.read(None)
    with pytest.raises(SetupError, match=f"(?s)master key {'ab' * 16}; .*{first.id}"):
        source.read("ab" * 16)
    with pytest.raises(SetupError, match="master key no-hexadecimal"):
        source.read("no-hexadecimal")
    source.destroy(first.id)
    assert source.read(None).id == second.id


def test_a_token_without_gcm_is_refused(token: Token, source: TokenMasterKeySource) -> None:
    """The mechanism that is missing is named."""
    token._mechanisms -= {Mechanism.AES_GCM}
    with pytest.raises(SetupError, match="no CKM_AES_GCM, which a master key needs"):
        source.make()


def test_a_text_says_where_the_key_is(source: TokenMasterKeySource) -> None:
    """What an operator reads of it is the label."""
    assert str(source).startswith("the key master of ")
