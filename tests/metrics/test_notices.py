"""Which webhook fails is told by the name that the settings have for it; of what they do not have any more, that."""

from dataclasses import replace
from pathlib import Path

from certworker.metrics.counters import MOST_VALUES
from certworker.metrics.notices import MOST_WEBHOOKS, notice_families
from certworker.vault.notification.audience import MAIL, WEBHOOK
from certworker.vault.notification.ledger import NoticeStatus
from tests.support.clock import START, FakeClock
from tests.support.deployment import open_deployment
from tests.support.everything import a_notice
from tests.support.recording import Recorder, an_audience
from tests.support.scraping import of, scrape


def test_each_webhook_is_told_apart(tmp_path: Path, clock: FakeClock) -> None:
    """Dead letters and what is tried again, by name; addresses of mail are in no label."""
    entries = [
        (WEBHOOK, "inbox", NoticeStatus.RETRYING),
        (WEBHOOK, "former", NoticeStatus.DEAD),
        (WEBHOOK, "former", NoticeStatus.DEAD),
        (WEBHOOK, "inbox", NoticeStatus.SENT),
        (MAIL, "ops@example.test", NoticeStatus.DEAD),
    ]
    with open_deployment(tmp_path, clock, audience=an_audience(Recorder(), Recorder())) as deployment:
        with deployment.house.store.writing() as writer:
            for number, (channel, address, status) in enumerate(entries):
                notice = replace(a_notice(deployment.vault.id, START, status=status), id=f"n{number}", threshold=f"t{number}")
                assert writer.add_notice(replace(notice, channel=channel, address=address))
        found = scrape(deployment)
        mail, inbox, former = (
            of(channel=channel, webhook=webhook) for channel, webhook in ((MAIL, ""), (WEBHOOK, "inbox"), (WEBHOOK, "former"))
        )
        assert found["certworker_notices_dead"] == {mail: 1, inbox: 0, former: 2}
        assert found["certworker_notices_retrying"] == {mail: 0, inbox: 1, former: 0}
        assert found["certworker_notice_channel_configured"] == {mail: 1, inbox: 1, former: 0}
        assert found["certworker_notices"][of(channel=WEBHOOK, status="sent")] == 1


def test_webhooks_of_former_times_make_few_series() -> None:
    """What is set up is told first, and all that is too much together."""
    undelivered = {(WEBHOOK, f"former-{number:03}", NoticeStatus.DEAD): 2 for number in range(MOST_WEBHOOKS + 50)}
    families = {family.name: family.samples for family in notice_families({}, undelivered, [(WEBHOOK, "zulu"), (MAIL, "")])}
    dead = {
        (sample.labels["channel"], sample.labels["webhook"]): sample.value for sample in families["certworker_notices_dead"]
    }
    assert len(dead) == MOST_WEBHOOKS + 1
    assert (dead[MAIL, ""], dead[WEBHOOK, "zulu"]) == (0, 0)
    assert sum(dead.values()) == 2 * len(undelivered)
    assert dead[WEBHOOK, "other"] == 2 * 52


def test_webhooks_above_the_limit_have_an_alert_as_well() -> None:
    """Those of the settings that are told together count as set up; what is counted of deliveries tells as many apart."""
    places = [(WEBHOOK, f"hook-{number:03}") for number in range(MOST_WEBHOOKS + 1)]
    families = {family.name: family.samples for family in notice_families({}, {(*places[-1], NoticeStatus.DEAD): 1}, places)}
    for name in ("certworker_notice_channel_configured", "certworker_notices_dead"):
        assert [sample.value for sample in families[name] if sample.labels["webhook"] == "other"] == [1]
    assert MOST_VALUES["webhook"] >= MOST_WEBHOOKS
