"""What Azure's own command line, `az`, is told so that it knows a deployment as a cloud of its own."""

import os
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from certworker.cli.home import write_private
from certworker.cli.logins import Login
from certworker.cli.output import plain
from certworker.errors import SettingsError, SetupError

CLOUD: Final = "Certworker"
BUNDLE: Final = "ca-bundle.pem"
SECRET_OF_STDIN: Final = "@-"  # noqa: S105  # az reads the value from its standard input, so that no list of processes shows it
SECONDS: Final = 180
"""A first start of az compiles thousands of files."""

SETTINGS: Final = ("core.instance_discovery=false",)
"""az asks Microsoft whether it knows the authority, unless this is set."""
QUIET_SETTINGS: Final = ("core.collect_telemetry=false", "core.survey_message=false", "auto-upgrade.enable=no")
_SHOWN_LINES: Final = 4
_SYSTEM_BUNDLE: Final = "ca-certificates.crt"

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as az is told of it. `netloc` is its domain, with the port where that is not 443."""

    netloc: str
    tenant_id: str
    client_id: str
    authority: str
    ca_bundle: str

    @classmethod
    def of(cls, login: Login) -> "Deployment":
        """Read the deployment's names from the address of one of its vaults. Raises SettingsError."""
        netloc = urlsplit(login.vault_url).netloc
        _, suffix, domain = netloc.partition(".vault.")
        if not suffix or not domain:
            raise SettingsError(f"{login.vault_url} is not like https://NAME.vault.DOMAIN, which az finds the other planes by.")
        return cls(domain, login.tenant_id, login.client_id, login.authority or f"https://login.{domain}", login.ca_bundle)

    def names(self) -> Command:
        """Give the options of `az cloud register` and `az cloud update` that name every endpoint and suffix."""
        management, graph = f"https://management.{self.netloc}", f"https://graph.{self.netloc}"
        return (
            *("--name", CLOUD, "--skip-endpoint-discovery"),
            *("--endpoint-resource-manager", management),
            *("--endpoint-management", management),
            *("--endpoint-active-directory", self.authority),
            *("--endpoint-active-directory-resource-id", management),
            *("--endpoint-active-directory-graph-resource-id", graph),
            *("--endpoint-microsoft-graph-resource-id", graph),
            *("--suffix-keyvault-dns", f".vault.{self.netloc}"),
            *("--suffix-storage-endpoint", self.netloc),
        )

    def commands(self, *, registered: bool, alone: bool) -> Sequence[Command]:
        """Give what az is to be called with; the last one reads the client secret from standard input.

        `alone`: nothing else is kept in the folder of settings, so that telemetry and the like can be turned off in it.
        """
        return (
            ("config", "set", *SETTINGS, *(QUIET_SETTINGS if alone else ())),
            ("cloud", "update" if registered else "register", *self.names()),
            ("cloud", "set", "--name", CLOUD),
            (
                *("login", "--service-principal", "--username", self.client_id, "--tenant", self.tenant_id),
                *("--password", SECRET_OF_STDIN, "--allow-no-subscriptions", "--output", "none"),
            ),
        )


@dataclass(frozen=True, slots=True)
class AzureCli:
    """`az` with a folder of settings of its own. `program` is its path, or a name to be found in PATH."""

    program: str
    folder: Path

    @property
    def bundle(self) -> Path:
        """The file of the authorities that az is to trust."""
        return self.folder / BUNDLE

    def variables(self) -> Mapping[str, str]:
        """Name what a shell has to export for az to find all this."""
        found = {"AZURE_CONFIG_DIR": str(self.folder)}
        return {**found, "REQUESTS_CA_BUNDLE": str(self.bundle)} if self.bundle.exists() else found

    def run(self, command: Command, stdin: str = "") -> str:
        """Run az, and give what it printed. Raises SetupError with what it said where it failed."""
        program = shutil.which(self.program)
        if program is None:
            raise SetupError(
                f"{self.program} was not found: install azure-cli (`pipx install azure-cli`), or name its az with --az."
            )
        environment = {**os.environ, **self.variables()}
        try:
            ended = subprocess.run(  # noqa: S603  # the program that the caller named
                [program, *command, "--only-show-errors"],
                env=environment,
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError(f"az {command[0]} {command[1]} could not be run: {type(error).__name__}.") from error
        if ended.returncode != 0:
            said = " ".join(plain(line) for line in ended.stderr.splitlines()[-_SHOWN_LINES:])
            raise SetupError(f"az {' '.join(command[:2])} failed: {said.replace(stdin, '***') if stdin else said}")
        return ended.stdout

    def write_bundle(self, authorities: str) -> None:
        """Write the deployment's authorities and the system's into one file: az reads no other. Raises SetupError."""
        try:
            own = Path(authorities).read_text()
        except (OSError, ValueError) as error:
            raise SetupError(f"The file of authorities {authorities} cannot be read: {error}.") from error
        write_private(self.bundle, f"{own.rstrip()}\n{self._authorities_of_the_system()}")

    def _authorities_of_the_system(self) -> str:
        paths = ssl.get_default_verify_paths()
        given = os.environ.get("REQUESTS_CA_BUNDLE", "")
        places = (given if given != str(self.bundle) else "", paths.cafile, f"{paths.capath}/{_SYSTEM_BUNDLE}")
        for place in places:
            if place and Path(place).is_file():
                return Path(place).read_text()
        return ""


def exports(variables: Mapping[str, str]) -> str:
    """Write the lines of a shell that export variables."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def script(deployment: Deployment, cli: AzureCli) -> str:
    """Write all that would be done as a script for a shell, without the secret in it."""
    lines = [
        "# The client secret is read from the terminal, or from standard input; no argument carries it.",
        f"mkdir -p -m 700 {shlex.quote(str(cli.folder))}",
        f"export AZURE_CONFIG_DIR={shlex.quote(str(cli.folder))}",
    ]
    if deployment.ca_bundle:
        system = '"${REQUESTS_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}"'
        bundle = shlex.quote(str(cli.bundle))
        lines += [
            f"cat {shlex.quote(deployment.ca_bundle)} {system} > {bundle}.new && mv {bundle}.new {bundle}",
            f"export REQUESTS_CA_BUNDLE={bundle}",
        ]
    az = shlex.quote(cli.program)
    *first, last = deployment.commands(registered=False, alone=True)
    lines += [f"{az} {shlex.join(command)}" for command in first]
    lines += ["printf 'Client secret: ' >&2; stty -echo 2>/dev/null; IFS= read -r secret; stty echo 2>/dev/null"]
    lines += [f'printf %s "$secret" | {az} {shlex.join(last)}', "unset secret"]
    return "\n".join(lines) + "\n"
