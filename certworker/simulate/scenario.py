"""The scenario: what certificates there are, what their CA is like, and what goes wrong on which day. From a TOML file."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from certworker.errors import SettingsError

Day = Annotated[float, Field(ge=0, le=36_500)]
Hours = Annotated[float, Field(gt=0, le=8_760)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
_FIRST_START = datetime(2026, 1, 1, tzinfo=UTC)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} does not say its time zone: write {at.isoformat()}Z")
    return at.astimezone(UTC).replace(microsecond=0)


class Part(BaseModel):
    """A table of the scenario. Unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Validity(Part):
    """[[validity]]: how long a share of the certificates is valid, from a day of the simulation on."""

    days: Annotated[float, Field(ge=1, le=398)]
    share: Share = 1.0


class Certificates(Part):
    """[certificates]."""

    key: Literal["ec-p256", "ec-p384", "rsa-2048"] = "ec-p256"
    start_spread_days: Day = 30
    domains: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    validity: Annotated[tuple[Validity, ...], Field(min_length=1)] = (Validity(days=47),)

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        total = sum(part.share for part in self.validity)
        if abs(total - 1) > 1e-6:  # noqa: PLR2004 - thirds do not add up exactly
            raise ValueError(f"the shares of the validities are {total:g} together; they must be 1")
        return self


class Advice(Part):
    """[advice]: renewal information of the CA (RFC 9773), for a share of the certificates."""

    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    window: tuple[Share, Share] = (0.62, 0.68)
    poll_hours: Annotated[float, Field(gt=0, le=24)] = 24.0

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window[0] >= self.window[1]:
            raise ValueError("advice.window ends before it begins")
        return self


class Limits(Part):
    """[limits]: rate limits of the CA; 0 is none. What replaces a certificate is exempt where the CA offers advice."""

    orders_in_3_hours: Count = 0
    certificates_per_domain_in_7_days: Count = 0
    duplicates_in_7_days: Count = 0


class Worker(Part):
    """[worker]: how often it looks, and whom it tells. Without hours for it, nothing is asked about revocation."""

    least_step_minutes: Annotated[float, Field(ge=0, le=1_440)] = 10.0
    revocation_check_hours: Annotated[float, Field(ge=0, le=24)] = 24.0
    email: str = "operations@contoso.example"


class Outage(Part):
    """[[outage]]: the CA answers with errors alone."""

    from_day: Day
    for_days: Annotated[float, Field(gt=0, le=365)]
    silent: bool = False


class Throttle(Part):
    """[[throttle]]: the CA answers everything with 429 and a Retry-After."""

    from_day: Day
    for_hours: Hours
    retry_after_minutes: Annotated[float, Field(gt=0, le=1_440)] = 60.0


class MassRevocation(Part):
    """[[mass_revocation]]: the CA has to revoke a share of the current certificates, and says so by its advice first.

    With `operator_after_hours` the operator, whom the CA has written to, asks for the replacement of each of them.
    """

    day: Day
    share: Share
    reason: Literal["superseded", "keyCompromise", "cessationOfOperation", "unspecified"] = "superseded"
    notice_hours: Annotated[float, Field(ge=0, le=8_760)] = 24.0
    announced: bool = True
    operator_after_hours: Annotated[float, Field(gt=0, le=8_760)] | None = None


class Downtime(Part):
    """[[downtime]]: the worker is not there, and starts anew afterwards; 0 hours is a restart."""

    day: Day
    hours: Annotated[float, Field(ge=0, le=8_760)] = 0.0


class WrongClock(Part):
    """[[wrong_clock]]: the worker's clock is ahead, or behind with a minus, and is put right again."""

    day: Day
    hours: Annotated[float, Field(ge=-720, le=720)]
    for_hours: Hours


class Scenario(Part):
    """What happens."""

    start: Annotated[datetime, AfterValidator(_aware)] = _FIRST_START
    lost_answers: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    revoked_grace_hours: Annotated[float, Field(ge=0, le=8_760)] = 24.0
    certificates: Certificates = Certificates()
    advice: Advice = Advice()
    limits: Limits = Limits()
    worker: Worker = Worker()
    outage: tuple[Outage, ...] = ()
    throttle: tuple[Throttle, ...] = ()
    mass_revocation: tuple[MassRevocation, ...] = ()
    downtime: tuple[Downtime, ...] = ()
    wrong_clock: tuple[WrongClock, ...] = ()

    def at(self, day: float) -> datetime:
        """Tell the time of a day of the simulation; the first is 0."""
        return self.start + timedelta(seconds=round(day * 86_400))

    def check_length(self, days: float) -> None:
        """Refuse what would never come. Raises SettingsError."""
        late = [
            f"{kind} on day {day:g}"
            for kind, listed in (
                ("outage", [part.from_day for part in self.outage]),
                ("throttle", [part.from_day for part in self.throttle]),
                ("mass_revocation", [part.day for part in self.mass_revocation]),
                ("downtime", [part.day for part in self.downtime]),
                ("wrong_clock", [part.day for part in self.wrong_clock]),
            )
            for day in listed
            if day >= days
        ]
        if late:
            raise SettingsError(f"The simulation has {days:g} days; this would never come: {', '.join(late)}.")


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from a TOML file. Raises SettingsError that names what is wrong, and what would be right."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"The scenario {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The scenario {path} is no TOML: {error}.") from error
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise SettingsError(f"The scenario {path} cannot be played. {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    sentences = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        what = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            what = f"there is no such setting; there are {', '.join(_known(fault['loc'][:-1]))}"
        sentences.append(f"{place}: {what}." if place else f"{what}.")
    return " ".join(sentences)


def _known(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Scenario
    for name in loc:
        if isinstance(name, str):
            model = _model(model.model_fields[name].annotation)
    return sorted(model.model_fields)


def _model(annotation: object) -> type[BaseModel]:
    found = next(iter(getattr(annotation, "__args__", ())), annotation)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else Scenario
