"""Consents of endpoints, on both databases."""

from datetime import timedelta

from certworker.store.transactions import SqlStore
from certworker.vault.notification.consents import endpoint_key
from tests.support.clock import START


def test_a_consent_is_given_again_and_ended(store: SqlStore) -> None:
    """It is kept by handshake and URL, of which neither is written down."""
    key = endpoint_key("cloudevents", "https://hooks.test/?token=hunter2")
    assert "hunter2" not in key
    assert key != endpoint_key("eventgrid", "https://hooks.test/?token=hunter2")
    for at in (START, START + timedelta(days=1)):
        with store.writing() as writer:
            writer.put_consent(key, at)
        with store.reading() as reader:
            assert reader.consent(key) == at
    with store.writing() as writer:
        writer.delete_consent(key)
        writer.delete_consent(key)
        assert writer.consent(key) is None
