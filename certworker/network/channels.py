"""The channels that the settings name, and who listens on them."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from certworker.crypto.webhook_signatures import read_secrets
from certworker.errors import BadParameter, SettingsError
from certworker.network.command_hook import CommandHook
from certworker.network.egress import EgressRules
from certworker.network.mail import MailRelay
from certworker.network.webhook import Endpoint, Webhooks
from certworker.settings import Settings, WebhookSettings
from certworker.settings.listener import Listener
from certworker.vault.notification.audience import HOOK, MAIL, WEBHOOK, Audience, Subscription
from certworker.vault.notification.message import Channel, Topic
from certworker.vault.store import Store

_ALWAYS: Final = (Topic.DIGEST, Topic.TEST)
"""What nobody has to ask for by its name."""

ReadPrivate = Callable[[Path, str], str]
"""Reads a file that nobody else may read, which is called something in errors. Raises SetupError."""


def open_audience(settings: Settings, store: Store, read_private: ReadPrivate) -> Audience:
    """Set the channels up, and list who listens on them besides contacts. Raises SettingsError."""
    return Audience(dict(_channels(settings, store, read_private)), tuple(_subscriptions(settings)))


def _channels(settings: Settings, store: Store, read_private: ReadPrivate) -> Iterator[tuple[str, Channel]]:
    allowed, suffix = settings.network.allow_private, settings.vault_suffix
    if relay := open_relay(settings, read_private):
        yield MAIL, relay
    if settings.webhooks:
        endpoints = {name: _endpoint(name, webhook, read_private) for name, webhook in settings.webhooks.items()}
        yield WEBHOOK, Webhooks(endpoints, store, allowed, settings.server.domain, suffix)
    if settings.hook.command:
        yield HOOK, CommandHook(settings.hook.command, settings.hook.seconds, suffix)


def open_relay(settings: Settings, read_private: ReadPrivate) -> MailRelay | None:
    """Set the relay up that takes mail; none where the settings name none."""
    if not settings.mail.host:
        return None
    rules, password = EgressRules(settings.network.allow_private), _password(settings, read_private)
    return MailRelay(settings.mail, rules, password, settings.vault_suffix)


def _subscriptions(settings: Settings) -> Iterator[Subscription]:
    for name, webhook in settings.webhooks.items():
        yield _subscription(WEBHOOK, name, webhook, f"webhooks.{name}")
    if settings.hook.command:
        yield _subscription(HOOK, HOOK, settings.hook, "hook")


def _subscription(channel: str, address: str, listener: Listener, section: str) -> Subscription:
    known = {topic.value: topic for topic in Topic if topic not in _ALWAYS}
    if wrong := next((name for name in listener.topics if name not in known), None):
        raise SettingsError(f"{section}.topics: there is no topic {wrong!r}; there are {', '.join(known)}.")
    return Subscription(channel, address, frozenset(map(Topic, listener.topics)), frozenset(listener.vaults))


def _endpoint(name: str, webhook: WebhookSettings, read_private: ReadPrivate) -> Endpoint:
    file = webhook.secret_file
    if file is None:
        return Endpoint(webhook)

    def secrets() -> tuple[bytes, ...]:
        setting = f"webhooks.{name}.secret_file"
        try:
            return read_secrets(read_private(file, f"{setting}: the file"))
        except BadParameter as error:
            raise SettingsError(f"{setting}: {file} {error}.") from None

    return Endpoint(webhook, secrets)


def _password(
    settings: Settings, read_private: ReadPrivate, environment: Mapping[str, str] = os.environ
) -> Callable[[], str] | None:
    """Make what reads the password of the relay, from its file or the environment; none where there is no log-in."""
    file, variable = settings.mail.password_file, settings.mail.password_env or ""
    if not settings.mail.user:
        return None

    def password() -> str:
        if file:
            return read_private(file, "mail.password_file: the file")
        if not (found := environment.get(variable)):
            raise SettingsError(f"mail.password_env: the environment has no variable {variable} with the relay's password.")
        return found

    return password
