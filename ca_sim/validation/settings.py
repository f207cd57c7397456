"""Settings of the validation of challenges."""

from ca_sim.setting import Delay, Section, Switch, setting


class ValidationSettings(Section):
    """[validation]."""

    always_valid: Switch = setting(default=False, unit="true or false", help="Whether every challenge is met without a look.")
    delay_seconds: Delay = setting(
        0, unit="seconds", help="How long a challenge is processing at least before the result of its validation shows."
    )
    system_resolver: Switch = setting(
        default=False,
        unit="true or false",
        help="Without dns_server: whether TXT and CAA records are asked of this machine's resolver. Without either there is no"
        " dns-01. Addresses come from the resolver table all the same.",
    )
    check_caa: Switch = setting(
        default=False,
        unit="true or false",
        help="Whether CAA records, from the name up to its top-level domain, must allow the issuance; it needs dns_server or"
        " system_resolver.",
    )
