"""What the log would have said, in both of its forms, and in which forms a secret could be in it."""

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

from certworker.cli.log_lines import JsonLines, TextLines

LEAST = 8
"""Shorter pieces could be anywhere by chance."""


class Heard(logging.Handler):
    """Keeps the lines that every record would make."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._forms = (JsonLines("tests"), TextLines("tests"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record in both forms."""
        self.lines += [form.format(record) for form in self._forms]

    def check_silent_about(self, *secrets: str | bytes) -> None:
        """Look for each secret in every form."""
        text = "\n".join(self.lines)
        for number, secret in enumerate(secrets):
            octets = secret.encode() if isinstance(secret, str) else secret
            assert len(octets) >= LEAST, f"secret {number} is too short to be looked for"
            found = [form for form in forms_of(octets) if len(form) >= LEAST and form in text]
            assert not found, f"secret {number} is in the log: {[line for line in self.lines if found[0] in line][:3]}"


@contextmanager
def hearing() -> Iterator[Heard]:
    """Hear all that the house says while the block lasts, as at the level debug: of libraries, from warnings on."""
    heard, ours, root = Heard(), logging.getLogger("certworker"), logging.getLogger()
    levels = ours.level, root.level
    root.addHandler(heard)
    ours.setLevel(logging.DEBUG)
    root.setLevel(logging.WARNING)
    try:
        yield heard
    finally:
        root.removeHandler(heard)
        ours.setLevel(levels[0])
        root.setLevel(levels[1])


def forms_of(secret: bytes) -> set[str]:
    """List the forms in which a value could be in a text: as it is, escaped, in hexadecimal, in both alphabets of base64."""
    forms = {secret.hex(), secret.hex().upper(), repr(secret)[2:-1], secret.hex(":")}
    for skipped in range(3):  # base64 of a longer text that it is within differs by where it begins
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.add(encode(bytes(skipped) + secret).decode()[4 if skipped else 0 : -4])
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return forms
    lines = (line for line in text.splitlines() if len(line) >= LEAST and not line.startswith("-----"))
    forms |= {text, json.dumps(text)[1:-1], repr(text)[1:-1], quote(text), quote(text, safe=""), quote_plus(text), *lines}
    return forms
