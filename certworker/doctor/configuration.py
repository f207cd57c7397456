"""The settings: whether they can be read, what stands beside them in the environment, and whether what they name is there."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.subject import Subject
from certworker.errors import SettingsError
from certworker.network.http import Trust
from certworker.settings import PREFIX, Settings, load_settings

_HERE: Final = Reporter("configuration")
_OF_COMMANDS: Final = frozenset(
    {"HOME", "DATABASE_URL", "VAULT_URL", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "AUTHORITY", "CA_BUNDLE", "AZ"}
)
"""What goes without two underscores: the URL of the database, and what commands are told of a vault."""


def read_configuration(config: Path | None, environment: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """Read the settings, and tell how that went."""
    if config is None:
        to_do = "Give the settings file with -c, or start `certworker dev`, whose home is found by itself."
        return None, [_HERE.wrong("There are no settings, and no home of a `certworker dev`.", to_do)]
    found = list(_environment(environment))
    try:
        settings = load_settings(config, environment)
    except SettingsError as error:
        to_do = f"Put it right in {config}; `certworker settings` prints every setting there is."
        if not os.access(config, os.R_OK):
            to_do = "Name a file with -c that is there and that this user can read, or run this as the service's user."
        return None, [*(_HERE.wrong(problem.replace("Value error, ", ""), to_do) for problem in error.problems), *found]
    return settings, [_HERE.fine(f"{config} can be read, and every setting in it is known."), *found]


def _environment(environment: Mapping[str, str]) -> Iterator[Finding]:
    ours = sorted(name for name in environment if name.startswith(PREFIX))
    read = [name for name in ours if "__" in name or name == PREFIX + "DATABASE_URL"]
    if read:
        yield _HERE.note(f"The environment goes before the file: {', '.join(read)}.")
    for name in ours:
        if name not in read and name.removeprefix(PREFIX) not in _OF_COMMANDS:
            section, _, setting = name.removeprefix(PREFIX).partition("_")
            meant = f"{PREFIX}{section}__{setting}" if setting else f"{PREFIX}SECTION__{section}"
            yield _HERE.warning(
                f"The variable {name} is in the environment, and no setting is read from it.",
                f"Write it with two underscores behind the section, as in {meant}, or as the settings name it.",
            )


def look_at_named_files(subject: Subject) -> Iterator[Finding]:
    """Look whether bundles can be loaded, programs run and folders written to."""
    settings = subject.settings
    count = 0
    for setting, path in _bundles(settings):
        count += 1
        try:
            Trust().context(path)
        except SettingsError as error:
            yield _HERE.wrong(f"{setting}: {error}", "Put a PEM file there with the roots, which this user can read.")
    for setting, program in _programs(settings):
        count += 1
        if shutil.which(program) is None:
            yield _HERE.wrong(
                f"{setting}: {program} is no program that can be run.", "Name it by its whole path, and make it executable."
            )
    for name, issuer in settings.issuers.items():
        if issuer.web_root and not (issuer.web_root.is_dir() and os.access(issuer.web_root, os.W_OK)):
            to_do = "Make the folder, and let this user write to it: the web server shows what is put there."
            yield _HERE.wrong(f"issuers.{name}.web_root: {issuer.web_root} is no folder that can be written to.", to_do)
    if count:
        yield _HERE.fine(f"Bundles and programs that the settings name were looked at: {count}.")


def _bundles(settings: Settings) -> Iterator[tuple[str, Path]]:
    named = {
        **{f"issuers.{name}": found.ca_bundle for name, found in settings.issuers.items()},
        **{f"webhooks.{name}": found.ca_bundle for name, found in settings.webhooks.items()},
        **{f"identity.issuers.{name}": found.ca_bundle for name, found in settings.identity.issuers.items()},
        "mail": settings.mail.ca_bundle,
        "release": settings.release.ca_bundle,
    }
    yield from ((f"{section}.ca_bundle", path) for section, path in named.items() if path)


def _programs(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.hook.command:
        yield "hook.command", settings.hook.command[0]
    for name, issuer in settings.issuers.items():
        if issuer.dns_hook:
            yield f"issuers.{name}.dns_hook", issuer.dns_hook[0]
