"""The mailbox of a simulation's contact: a channel that takes every notice, and remembers which came."""

from collections import Counter
from datetime import datetime, timedelta

from certworker.vault.notification.message import Delivery, Message, Topic

_DAY = timedelta(days=1)


class Mailbox:
    """Takes what comes. `refuses` says at which times it takes nothing, and is asked again."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.by_topic: Counter[str] = Counter()
        self.by_day: Counter[int] = Counter()
        self.messages = 0
        self.renewed: set[str] = set()
        self.doubled = 0
        self._ids: set[str] = set()
        self._told: set[int] = set()

    def deliver(self, message: Message, at: datetime) -> Delivery:
        """Take a message in."""
        self.messages += 1
        self.by_day[(at - self._start) // _DAY] += 1
        for part in message.parts or (message,):
            self._read(part)
        if message.parts:
            self._note_id(message.id)
        return Delivery(done=True)

    def has(self, notice_id: str) -> bool:
        """Whether a notice came, by itself or in a digest."""
        return notice_id in self._ids

    def _read(self, message: Message) -> None:
        self.by_topic[message.topic.value] += 1
        self._note_id(message.id)
        # under another id the same is told twice
        facts = tuple(sorted(message.facts.items()))
        told = hash((message.topic, message.kind, message.name, message.version, message.to, message.at, facts))
        self.doubled += told in self._told
        self._told.add(told)
        if message.topic is Topic.RENEWED and message.version:
            self.renewed.add(message.version)

    def _note_id(self, notice_id: str) -> None:
        self.doubled += notice_id in self._ids
        self._ids.add(notice_id)
