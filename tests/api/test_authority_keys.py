"""The keys of an issuer that is slow to show them."""

from datetime import timedelta
from threading import Event, Thread

from cryptography.hazmat.primitives.asymmetric import ec

from certworker.network.authority_keys import DiscoveredKeys
from certworker.network.egress import EgressRules
from tests.api.world import TestAuthority
from tests.support.attester import KID, running_attester
from tests.support.clock import FakeClock


def test_a_key_that_is_believed_waits_for_nobody(authority: TestAuthority, clock: FakeClock) -> None:
    """While one thread asks the issuer anew, the others go on by what it said before."""
    with running_attester(authority, ec.generate_private_key(ec.SECP256R1())) as issuer:
        rules, believed = EgressRules(("localhost",)), timedelta(days=1)
        keys = DiscoveredKeys(rules, authority.bundle, 60, clock, "issuer", believed)
        assert keys.find(issuer.url, KID)
        clock.advance(timedelta(hours=2))
        issuer.gate = Event()
        asking = Thread(target=keys.find, args=(issuer.url, KID))
        asking.start()
        while not any(issuer.asked[path] > 1 for path in issuer.asked):
            asking.join(0.01)
        assert keys.find(issuer.url, KID)
        assert asking.is_alive()
        issuer.gate.set()
        asking.join()
        assert keys.is_at_hand(issuer.url, KID)
