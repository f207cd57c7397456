"""Where the commands go, and as whom: from the environment, what `certworker login` stored, or a dev home."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from urllib.parse import urlsplit

from certworker.cli.home import write_json
from certworker.errors import SettingsError, SetupError, Unauthenticated

DEFAULT_HOME = "~/.certworker"
PREFIX = "CERTWORKER_"
NOT_LOGGED_IN = (
    "Not logged in, and no `certworker dev` serves here: run `certworker login`, or start `certworker dev` (CERTWORKER_HOME "
    "names its home)."
)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Login:
    """Which vault, and with what credentials. What is empty is asked of the vault itself, or not needed.

    `ca_bundle` is a file of the authorities that the server is checked by, in place of the public ones.
    """

    vault_url: str = ""
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    authority: str = ""
    ca_bundle: str = ""


def find_login(vault_url: str | None, environment: Mapping[str, str] = os.environ) -> Login:
    """Find where to go: an option or the environment goes before what was stored, and that before a dev home.

    Raises Unauthenticated where nothing is known, SettingsError where something is missing or wrong.
    """
    base = read_login(login_file(environment)) or _read_dev(environment)
    given = {name: environment.get(PREFIX + name.upper(), "") for name in _names()}
    given["vault_url"] = vault_url or given["vault_url"]
    known = {name: value for name, value in given.items() if value}
    if base is None and not known:
        raise Unauthenticated(NOT_LOGGED_IN)
    login = replace(base or Login(), **known)
    missing = [name for name in ("vault_url", "client_id", "client_secret") if not getattr(login, name)]
    if missing:
        shown = ", ".join(PREFIX + name.upper() for name in missing)
        raise Unauthenticated(f"{shown} is missing: set it, or run `certworker login`.")
    return replace(login, vault_url=check_url(login.vault_url), authority=login.authority and check_url(login.authority))


def check_url(text: str) -> str:
    """Give an https URL without a slash at its end. Raises SettingsError."""
    parts = _split(text.strip())
    if parts is None or parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query or "@" in text:
        raise SettingsError(f"{text[:200]!r} is not an address like https://NAME.vault.example.com.")
    return f"https://{parts.netloc.lower()}"


def _split(text: str) -> "SplitUrl | None":
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return SplitUrl(parts.scheme.lower(), parts.netloc, parts.hostname or "", parts.path, parts.query)


@dataclass(frozen=True, slots=True)
class SplitUrl:
    """The parts of a URL."""

    scheme: str
    netloc: str
    hostname: str
    path: str
    query: str


def login_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Say where a login is stored: under XDG_CONFIG_HOME, where that is an absolute path, else under ~/.config."""
    configured = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(configured) if configured.startswith("/") else Path("~/.config").expanduser()
    return folder / "certworker" / "login.json"


def read_login(path: Path) -> Login | None:
    """Read a stored login; none where there is none. Raises SetupError for one that is open to others, or no login."""
    try:
        text, mode = path.read_text(), path.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SetupError(f"The login {path} cannot be read: {error}.") from error
    if mode & _OTHERS:
        raise SetupError(f"The login {path} is open to others than its owner; run: chmod 600 {path}")
    return _login_of(text, path)


def store_login(path: Path, login: Login) -> None:
    """Store a login for its owner only. Raises SetupError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(path, asdict(login))
    except OSError as error:
        raise SetupError(f"The login {path} cannot be written: {error.strerror}.") from error


def _read_dev(environment: Mapping[str, str]) -> Login | None:
    return read_dev_home(Path(environment.get(PREFIX + "HOME") or DEFAULT_HOME).expanduser())


def read_dev_home(home: Path) -> Login | None:
    """Read where a `certworker dev` serves, and who its administrator is; none where none does. Raises SetupError."""
    path = home / "dev.json"
    try:
        return _login_of(path.read_text(), path)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} cannot be read: {error}.") from error


def _login_of(text: str, path: Path) -> Login:
    try:
        values = json.loads(text)
        known = {name: values.get(name) or "" for name in _names()}
    except (ValueError, AttributeError) as error:
        raise SetupError(f"{path} is not what certworker wrote: {error}.") from error
    if not all(isinstance(value, str) for value in known.values()):
        raise SetupError(f"{path} is not what certworker wrote: every value is a text.")
    return Login(**known)


def _names() -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(Login))
