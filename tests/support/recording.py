"""A channel that keeps what it is handed, and does as its script says."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from certworker.vault.notification.audience import MAIL, Audience, Subscription
from certworker.vault.notification.message import Delivery, Message

WEBHOOK = "webhook"


@dataclass
class Recorder:
    """What was delivered, message by message; each entry of the script is the answer to one, then all is done."""

    script: deque[Delivery | Exception] = field(default_factory=deque)
    messages: list[Message] = field(default_factory=list)
    is_away: bool = False

    def deliver(self, message: Message, _at: datetime) -> Delivery:
        """Take a message, or not."""
        if self.is_away:
            return Delivery(done=False, message="The relay does not answer.")
        if self.script:
            answer = self.script.popleft()
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.messages.append(message)
        return Delivery(done=True)

    @property
    def topics(self) -> list[str]:
        """What the messages were about, in their order."""
        return [message.topic.value for message in self.messages]

    @property
    def doubled(self) -> list[str]:
        """The ids that arrived more than once."""
        return [found for found, count in Counter(message.id for message in self.messages).items() if count > 1]


def an_audience(mail: Recorder, webhook: Recorder | None = None) -> Audience:
    """Give an audience that hears contacts' mail, and everything by one webhook if there is one."""
    if webhook is None:
        return Audience({MAIL: mail})
    return Audience({MAIL: mail, WEBHOOK: webhook}, (Subscription(WEBHOOK, "inbox"),))
