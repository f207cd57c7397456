"""[mail]: the relay that takes notices to contacts."""

import re
from email.utils import parseaddr
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from certworker.settings.section import Port, Section, is_host

_PORTS = (("starttls", 587), ("tls", 465), ("none", 25))
_ADDRESS = re.compile(r"[!#$%&'*+/=?^_`{|}~0-9A-Za-z.-]{1,64}@[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*")


class Mail(Section):
    """[mail]: the SMTP relay that takes notices to the contacts of vaults."""

    host: str | None = Field(None, description="name or address of the SMTP relay; none: no mail is sent")
    port: Port = Field(0, description="TCP port; 0 is 587 with starttls, 465 with tls and 25 with none")
    tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls from the first byte, or none, which goes without a log-in"
    )
    user: str | None = Field(None, description="user of the relay; none: no log-in")
    password_file: Path | None = Field(None, description="file (mode 0600) with the user's password; or password_env")
    password_env: str | None = Field(None, description="name of the environment variable with the password; or password_file")
    sender: str | None = Field(None, description="address that mail comes from: notices@example.com or Name <address>")
    ca_bundle: Path | None = Field(None, description="PEM file of roots that the relay's certificate is checked by")
    timeout_seconds: float = Field(30.0, gt=0, le=120, description="seconds that handing over one mail may take")

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, value: str | None) -> str | None:
        if value is not None and not is_host(value):
            raise ValueError("host is neither a name nor an address: smtp.example.com is needed; port is a setting of its own")
        return value

    @property
    def relay_port(self) -> int:
        """The port, where it is not set the one of the way that is spoken."""
        return self.port or dict(_PORTS)[self.tls]

    @property
    def sender_address(self) -> tuple[str, str]:
        """The sender's name, which may be empty, and address."""
        return parseaddr(self.sender or "")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if wrong := self._wrong():
            raise ValueError(wrong)
        return self

    def _wrong(self) -> str | None:
        """Say what does not fit, and what would be right."""
        if self.host and not self.sender:
            return "host goes with sender, the address that mail comes from"
        if self.sender and not _is_sender(self.sender):
            return "sender is not an address: notices@example.com or Name <notices@example.com> is needed, in ASCII"
        passwords = [name for name in ("password_file", "password_env") if getattr(self, name)]
        if self.user and len(passwords) != 1:
            return "user goes with one of password_file and password_env"
        if passwords and not self.user:
            return f"{passwords[0]} goes with user"
        if self.user and self.tls == "none":
            return "tls none goes without user: a password is not sent where everybody can read it"
        return None


def _is_sender(text: str) -> bool:
    # the standard library reads what it can of almost anything: nothing may stand behind the address
    address = parseaddr(text)[1]
    is_whole = text in (address, f"{text.partition('<')[0]}<{address}>")
    return is_whole and text.isprintable() and bool(_ADDRESS.fullmatch(address))
