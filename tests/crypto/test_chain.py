"""Whatever a CA sends beside the leaf, the chain is in order."""

from itertools import permutations
from random import Random

from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import order_chain, self_sign
from tests.crypto.authorities import BEGIN, END, Authority, a_request


def test_a_chain_is_put_in_order_from_any_order() -> None:
    """Each is the one that signed the one before it, the root is the last, and the leaf is not among them."""
    root, upper, lower = Authority("Root"), Authority("Upper"), Authority("Lower")
    chain = (lower.certificate(upper), upper.certificate(root), root.certificate())
    leaf = lower.leaf()
    for others in permutations((leaf, *chain)):
        assert order_chain(leaf, others) == chain


def test_what_does_not_belong_is_left_out() -> None:
    """Foreign certificates, one of the same name with another key, repeats, and a gap end up outside."""
    root, lower, impostor = Authority("Root"), Authority("Lower"), Authority("Lower")
    foreign = Authority("Foreign").certificate()
    above = lower.certificate(root)
    leaf = lower.leaf()
    assert order_chain(leaf, (foreign, impostor.certificate(root), above, above, root.certificate()))[0] == above
    assert len(order_chain(leaf, (foreign, impostor.certificate(root), above, above, root.certificate()))) == 2
    assert order_chain(leaf, (root.certificate(), foreign)) == ()


def test_a_cross_signed_chain_goes_on_to_the_older_root() -> None:
    """Of an authority's two certificates the cross-signed one leads on; a self-signed one is never in the middle."""
    old, new, lower = Authority("Old root"), Authority("New root"), Authority("Lower")
    parts = [lower.certificate(new), new.certificate(), new.certificate(old), old.certificate()]
    leaf = lower.leaf()
    expected = (parts[0], parts[2], parts[3])
    for seed in range(10):
        Random(seed).shuffle(shuffled := list(parts))
        assert order_chain(leaf, shuffled) == expected


def test_authorities_that_signed_each_other_end() -> None:
    """A loop is walked once."""
    one, other = Authority("One"), Authority("Other")
    leaf = one.leaf()
    assert len(order_chain(leaf, (one.certificate(other), other.certificate(one)))) == 2


def test_a_self_signed_leaf_has_no_chain() -> None:
    """Another certificate of the same name and key does not go on top of it."""
    key = generate_key("EC", None, "P-256")
    leaf, older = (self_sign(key, a_request(), BEGIN, END) for _ in range(2))
    assert order_chain(leaf, (older, leaf)) == ()


def test_a_flood_of_certificates_is_cut() -> None:
    """A CA that sends thousands keeps nobody busy."""
    root = Authority("Root")
    above = root.certificate()
    assert order_chain(root.leaf(), [above] * 5000) == (above,)
