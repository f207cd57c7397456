"""Every metric that there is: name, labels and meaning, by topic. The page in docs/metrics.md is made from it.

Timestamps are absolute, in Unix seconds, so that `not_after - time()` works; durations are seconds; booleans are 0 and 1;
counters end in `_total`. No name of a host in a certificate, serial number or subject is a label, but for the subject of a CA
whose lists are told of.
"""

from typing import Final

from certworker.metrics.metric import Metric, counted, dated, gauge, measured, stored, timed
from certworker.metrics.processes import OF_PROCESSES

OF_CERTIFICATE: Final = ("vault", "name", "issuer")
_EXCHANGES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ISSUANCES: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 604800.0)


def catalogue() -> tuple[Metric, ...]:
    """List all metrics by topic, in the order of this file; those of the processes have one of their own."""
    return (*(found for found in globals().values() if isinstance(found, Metric)), *OF_PROCESSES)


# --- one certificate ----------------------------------------------------------------------------------------------------------

_ONE: Final = "One certificate"
NOT_BEFORE: Final = gauge(
    _ONE, "certificate_not_before_timestamp_seconds", "From when the current version is valid.", OF_CERTIFICATE
)
NOT_AFTER: Final = gauge(
    _ONE, "certificate_not_after_timestamp_seconds", "Until when the current version is valid.", OF_CERTIFICATE
)
LIFETIME: Final = gauge(
    _ONE, "certificate_lifetime_seconds", "How long the current version is valid in all, from its first second.", OF_CERTIFICATE
)
READY: Final = gauge(
    _ONE,
    "certificate_ready",
    "Whether the current version can be used: it is valid, enabled and not revoked. The reason says how it stands.",
    (*OF_CERTIFICATE, "reason"),
    reason="valid, renewing, renewal_failed, paused, expired, not_yet_valid, revoked, disabled, being_issued, "
    "waits_for_signature, failed, empty",
)
INFO: Final = gauge(_ONE, "certificate_info", "The current version, by its id; always 1.", (*OF_CERTIFICATE, "version"))
RENEWAL_DUE: Final = gauge(
    _ONE, "certificate_renewal_due_timestamp_seconds", "When the next version falls due.", OF_CERTIFICATE
)
RENEWAL_DEADLINE: Final = gauge(
    _ONE,
    "certificate_renewal_deadline_timestamp_seconds",
    "When the next version would be too late: of what is due at once, the earliest goes first.",
    OF_CERTIFICATE,
)
RENEWAL_SOURCE: Final = gauge(
    _ONE,
    "certificate_renewal_source",
    "What decided when the next version falls due; always 1.",
    (*OF_CERTIFICATE, "source"),
    source="lifetime_action (the owner's policy), default, advised (the CA's window, RFC 9773), backstop, overdue, revoked, "
    "key_compromised, requested, policy_changed, issuer_changed",
)
WINDOW_START: Final = gauge(
    _ONE,
    "certificate_renewal_window_start_timestamp_seconds",
    "When the window begins in which its CA wants it to be renewed (RFC 9773).",
    OF_CERTIFICATE,
)
WINDOW_END: Final = gauge(_ONE, "certificate_renewal_window_end_timestamp_seconds", "When that window ends.", OF_CERTIFICATE)
RENEWAL_FAILURES: Final = gauge(
    _ONE, "certificate_renewal_failures", "Attempts at renewal that failed in a row.", OF_CERTIFICATE
)
NEXT_ATTEMPT: Final = gauge(
    _ONE,
    "certificate_next_attempt_timestamp_seconds",
    "When what is under way, or has failed, is gone on with.",
    OF_CERTIFICATE,
)
PAUSED_SINCE: Final = gauge(
    _ONE, "certificate_renewal_paused_since_timestamp_seconds", "Since when renewal is paused.", OF_CERTIFICATE
)
OVERDUE: Final = gauge(
    _ONE,
    "renewal_overdue",
    "Whether a renewal is overdue: 30 percent of its time gone is a warning, 70 percent is critical.",
    (*OF_CERTIFICATE, "severity"),
    severity="warning, critical",
)
PENDING_SINCE: Final = gauge(
    _ONE, "certificate_operation_pending_since_timestamp_seconds", "Since when an operation is in progress.", OF_CERTIFICATE
)
REVOKED: Final = gauge(
    _ONE, "certificate_revoked", "Whether the current version, or what is above it, is revoked.", OF_CERTIFICATE
)
REVOCATION_UNKNOWN_SINCE: Final = gauge(
    _ONE,
    "certificate_revocation_unknown_since_timestamp_seconds",
    "Since when nobody can tell whether it is revoked.",
    OF_CERTIFICATE,
)
REVOCATION_CHECKED: Final = gauge(
    _ONE,
    "certificate_revocation_checked_timestamp_seconds",
    "When it was found out last whether it is revoked, and by what.",
    (*OF_CERTIFICATE, "method"),
    method="crl, ocsp, owner (who revoked it here), none",
)

# --- the fleet ----------------------------------------------------------------------------------------------------------------

_FLEET: Final = "The fleet"
CERTIFICATES: Final = gauge(
    _FLEET,
    "certificates",
    "Live certificates by how they stand, as for certificate_ready; whether one has expired is counted by itself.",
    ("vault", "issuer", "state"),
    state="valid, renewing, renewal_failed, paused, revoked, disabled, being_issued, waits_for_signature, failed, empty",
)
REVOCATION: Final = gauge(
    _FLEET,
    "certificates_revocation",
    "Current versions by what is known of their revocation.",
    ("issuer", "standing"),
    standing="good, revoked, unknown, unchecked",
)
CERTIFICATES_OVERDUE: Final = gauge(
    _FLEET,
    "certificates_overdue",
    "Certificates whose renewal is overdue.",
    ("issuer", "severity"),
    severity="warning, critical",
)
SOURCES: Final = gauge(
    _FLEET, "certificates_renewal_source", "Certificates by what decides when they are renewed.", ("issuer", "source")
)
EXPIRED: Final = gauge(_FLEET, "certificates_expired", "Enabled certificates whose current version has expired.", ("issuer",))
EXPIRING: Final = gauge(
    _FLEET,
    "certificates_expiring",
    "Enabled certificates that expire within a time from now, to the hour; what has expired is not among them.",
    ("issuer", "within"),
    within="1d, 7d, 14d, 30d, 60d, 90d, any",
)
EXPIRIES_AHEAD: Final = gauge(
    _FLEET,
    "expiries_ahead",
    "Enabled certificates that expire on a day ahead: 0 is the next 24 hours, 1 those after them.",
    ("issuer", "day"),
    day="00 to 89",
)
RENEWALS_AHEAD: Final = gauge(
    _FLEET,
    "renewals_ahead",
    "Renewals that fall due on a day ahead; what is due and not begun counts for the day 00.",
    ("issuer", "day"),
    day="00 to 89",
)
SERIES_LIMIT: Final = gauge(
    _FLEET,
    "certificate_series_limit",
    "Of how many certificates the series of their own are told at most: the unhealthy ones, and those that expire first.",
)
WITHOUT_SERIES: Final = gauge(
    _FLEET, "certificates_without_series", "Live certificates above that limit: they are in the counts of the fleet alone."
)
FLEET_ATTEMPTS: Final = stored(
    _FLEET, "fleet_issuance_attempts", "Attempts at issuance of all issuers, without those of purged vaults.", ("result",)
)
ISSUER_SERIES_LIMIT: Final = gauge(
    _FLEET,
    "issuer_series_limit",
    "How many issuers have series of their own at most: those in trouble or waited for over an hour, then the largest.",
)
ISSUERS_WITHOUT_SERIES: Final = gauge(
    _FLEET, "issuers_without_series", "Issuers above that limit: what is state is told of all of them together, as `other`."
)
CHANGES_WAITING: Final = gauge(
    _FLEET, "fleet_changes_waiting", "Changes of certificates that the counts of the fleet do not have in them yet."
)

# --- issuance -----------------------------------------------------------------------------------------------------------------

_ISSUANCE: Final = "Issuance"
ATTEMPTS: Final = stored(
    _ISSUANCE,
    "issuance_attempts",
    "Attempts at issuance by result.",
    ("vault", "issuer", "result"),
    result="issued, retried, failed, cancelled",
)
WARNINGS: Final = stored(
    _ISSUANCE,
    "issuance_warnings",
    "Certificates that were issued or merged although something about them was not as it was asked for.",
    ("vault", "issuer"),
)
PENDING: Final = gauge(_ISSUANCE, "operations_pending", "Certificate operations in progress.", ("vault", "issuer"))
PENDING_OLDEST: Final = gauge(
    _ISSUANCE, "operations_pending_oldest_timestamp_seconds", "When the oldest of them was created.", ("vault", "issuer")
)
STEPS: Final = counted(
    _ISSUANCE,
    "issuance_steps",
    "Exchanges of an operation with its CA, by the step that was next and what became of it.",
    ("issuer", "stage", "result"),
    stage="begin, or the step of the operation's history that it had come to",
    result="pending, issued, rejected, retry (it failed and is tried again), error",
)
STEP_SECONDS: Final = timed(
    _ISSUANCE, "issuance_step_duration_seconds", "How long these exchanges took.", ("issuer", "stage"), _EXCHANGES
)
ISSUANCE_SECONDS: Final = timed(
    _ISSUANCE,
    "issuance_duration_seconds",
    "From the beginning of an operation to the version that came of it; what waits for a person is not among them.",
    ("issuer",),
    _ISSUANCES,
)
FAILURES: Final = counted(
    _ISSUANCE,
    "issuance_failures",
    "What went wrong in operations, each attempt by itself, by the class of the error.",
    ("issuer", "error"),
    ("configuration", "throttled", "unavailable", "rejected", "invalid", "passing", "unexpected"),
    error="configuration (what is asked for has to change), throttled, unavailable, rejected, invalid (what was issued does "
    "not fit), passing (it is tried again), unexpected",
)
DEFERRALS: Final = counted(
    _ISSUANCE,
    "renewals_deferred",
    "Renewals and operations that were due and were put off.",
    ("issuer", "reason"),
    ("back_off", "maintenance", "budget", "outage", "throttled", "replanned"),
    reason="back_off, maintenance, budget, outage, throttled, replanned",
)

# --- certificate authorities --------------------------------------------------------------------------------------------------

_AUTHORITIES: Final = "Certificate authorities"
ISSUER_UP: Final = gauge(_AUTHORITIES, "issuer_up", "Whether an issuer's CA answers, as far as is known.", ("vault", "issuer"))
ISSUERS_DOWN: Final = gauge(_AUTHORITIES, "issuers_down", "Issuers of all vaults whose CA does not answer.")
GATE_CLOSED: Final = gauge(
    _AUTHORITIES,
    "issuer_gate_closed_until_timestamp_seconds",
    "Until when nothing new is asked of an issuer; absent, or a time that is past, where its gate is open.",
    ("vault", "issuer", "reason"),
    reason="outage, throttled, budget",
)
CIRCUIT: Final = gauge(
    _AUTHORITIES,
    "issuer_circuit",
    "The circuit breaker of an issuer: 1 for the state that it is in. Half open lets one certificate through, to find out.",
    ("vault", "issuer", "state"),
    state="closed, open, half_open",
)
_OF_BUDGET: Final = ("vault", "issuer", "budget")
_BUDGETS: Final = "orders (of the account), certificates_per_domain, certificates_per_set: settings of [issuers.NAME]"
BUDGET_LIMIT: Final = gauge(
    _AUTHORITIES,
    "issuer_budget_limit",
    "How much a rate budget lets be asked at once; steadily, as much comes back in the time that its setting names.",
    _OF_BUDGET,
    budget=_BUDGETS,
)
BUDGET_REMAINING: Final = gauge(
    _AUTHORITIES,
    "issuer_budget_remaining",
    "How much of it is left; of those for single domains or sets of names, in the one with the least.",
    _OF_BUDGET,
    budget=_BUDGETS,
)
BUDGET_FULL: Final = gauge(
    _AUTHORITIES,
    "issuer_budget_full_timestamp_seconds",
    "When all of it is there again, if nothing more is asked; absent where it is.",
    _OF_BUDGET,
    budget=_BUDGETS,
)
BUDGETS_USED_UP: Final = gauge(
    _AUTHORITIES,
    "issuer_budgets_used_up",
    "How many have nothing left: the account's own one, or so many domains or sets of names.",
    _OF_BUDGET,
    budget=_BUDGETS,
)
BUDGET_WAITING: Final = gauge(
    _AUTHORITIES,
    "issuer_budget_waiting",
    "What waits for it: renewals that are due (of orders), and what somebody asked for, which has taken what comes back next.",
    _OF_BUDGET,
    budget=_BUDGETS,
)
CA_REQUESTS: Final = counted(
    _AUTHORITIES,
    "ca_requests",
    "Requests to others over HTTP, by what they were for.",
    ("purpose", "issuer", "result"),
    purpose="issuance, advice, revocation (asked for by the owner), account (tests of an issuer, its account's key), crl "
    "(lists, and certificates of CAs), ocsp, webhook, identity (keys of others who sign tokens)",
    issuer="the issuer's name; empty where it is for none",
    result="the class of the status (2xx to 5xx), timeout, refused (by the other side or the egress rules), tls, dns, error",
)
CA_SECONDS: Final = timed(_AUTHORITIES, "ca_request_duration_seconds", "How long they took.", ("purpose", "issuer"), _EXCHANGES)
RATE_LIMITED: Final = counted(
    _AUTHORITIES, "ca_rate_limited", "Answers of a CA that it was asked too much (429, or its own word for it).", ("issuer",)
)
ADVICE_FETCHES: Final = counted(
    _AUTHORITIES,
    "ari_fetches",
    "Questions to a CA when it wants a certificate to be renewed (RFC 9773).",
    ("issuer", "result"),
    ("window", "moved", "none_offered", "failed"),
    result="window, moved (a window that was told before is another one), none_offered, failed",
)
CRL_NEXT_UPDATE: Final = gauge(
    _AUTHORITIES,
    "crl_next_update_timestamp_seconds",
    "When the first of an issuer's lists at a host runs out.",
    ("host", "issuer"),
)
CRL_NUMBER: Final = gauge(_AUTHORITIES, "crl_number", "The highest number that was seen in one.", ("host", "issuer"))
CRL_STALE: Final = gauge(
    _AUTHORITIES,
    "crl_stale",
    "How many of them could not be refreshed when that was tried last.",
    ("host", "issuer"),
)
REVOCATION_LOOKS: Final = counted(
    _AUTHORITIES,
    "revocation_checks",
    "Looks at certificates whether they are revoked, by what told and what it was.",
    ("method", "standing"),
    ("good", "revoked", "unknown"),
    method="crl, ocsp, owner, none",
    standing="good, revoked, unknown, unchecked",
)

# --- notices ------------------------------------------------------------------------------------------------------------------

_NOTICES: Final = "Notices"
NOTICES: Final = gauge(
    _NOTICES,
    "notices",
    "Notices in the ledger, by how far they have come.",
    ("channel", "status"),
)
NOTICES_RETRYING: Final = gauge(
    _NOTICES,
    "notices_retrying",
    "Notices whose delivery has failed, and that are tried again.",
    ("channel", "webhook"),
    webhook="NAME of its [webhooks.NAME]; empty for mail and the hook",
)
NOTICES_DEAD: Final = gauge(
    _NOTICES,
    "notices_dead",
    "Notices that were given up, and can be replayed.",
    ("channel", "webhook"),
    webhook="NAME of its [webhooks.NAME]; empty for mail and the hook",
)
CHANNEL_CONFIGURED: Final = gauge(
    _NOTICES,
    "notice_channel_configured",
    "Whether the settings have it, by what is scraped. 0: only the ledger knows it, of former times.",
    ("channel", "webhook"),
    webhook="NAME of its [webhooks.NAME]; empty for mail and the hook",
)
DELIVERIES: Final = counted(
    _NOTICES,
    "notice_deliveries",
    "Attempts at delivery.",
    ("channel", "webhook", "result"),
    ("sent", "failed", "dead"),
    webhook="NAME of its [webhooks.NAME]; empty for mail and the hook",
    result="sent, failed (tried again), dead (given up)",
)

# --- the worker ---------------------------------------------------------------------------------------------------------------

_WORKER: Final = "The worker"
LAST_RUN: Final = gauge(
    _WORKER, "scheduler_last_run_timestamp_seconds", "When a group of rounds last ran, in any process.", ("group",)
)
LAST_RUN_SECONDS: Final = gauge(_WORKER, "scheduler_last_run_duration_seconds", "How long its last run took.", ("group",))
LAST_RUN_FAILED: Final = gauge(_WORKER, "scheduler_last_run_failed", "Whether its last run failed.", ("group",))
RUNS: Final = counted(
    _WORKER,
    "scheduler_runs",
    "Runs of a group of rounds.",
    ("group", "result"),
    ("done", "idle", "failed"),
    result="done, idle, failed",
)
RUN_SECONDS: Final = timed(
    _WORKER, "scheduler_run_duration_seconds", "How long runs took that had something to do.", ("group",), _EXCHANGES
)
ROUND_ITEMS: Final = counted(_WORKER, "round_items", "What a round has worked on.", ("round",))
LEASES_LOST: Final = counted(
    _WORKER,
    "leases_lost",
    "Results that were thrown away, since somebody else had taken the work over meanwhile.",
    ("round",),
)
CLOCK_SKEW: Final = measured(
    _WORKER,
    "clock_skew_seconds",
    "By how much this machine's clock is ahead of another one for certain, as measured last: what the way took is not told.",
    ("peer",),
    peer="database (PostgreSQL; SQLite has no clock), or the name of an issuer",
)
CLOCK_SKEW_MEASURED: Final = dated(
    CLOCK_SKEW, "clock_skew_measured_timestamp_seconds", "When that was measured last, by this machine's clock."
)
CLOCK_JUMPS: Final = counted(_WORKER, "clock_jumps", "Jumps of the wall clock against the monotonic one.")

# --- the vault and its doors --------------------------------------------------------------------------------------------------

_VAULT: Final = "The vault and its doors"
HTTP_REQUESTS: Final = counted(
    _VAULT,
    "http_requests",
    "Requests that were answered.",
    ("plane", "method", "status"),
    ("500", "503"),
    plane="vault, management, identity, graph, other",
)
HTTP_SECONDS: Final = timed(_VAULT, "http_request_duration_seconds", "How long answers took.", ("plane",))
OPERATIONS: Final = counted(
    _VAULT,
    "vault_operations",
    "Operations on vaults, keys, secrets and certificates, by the name that the audit log has for them.",
    ("operation", "result"),
    result="success, refused (401, 403), throttled (429), invalid (other 4xx), failed (5xx)",
)
VAULT_REQUESTS: Final = counted(
    _VAULT,
    "vault_requests",
    "The same by vault; a name that is no vault is not among them.",
    ("vault", "result"),
    ("success", "refused", "throttled", "invalid", "failed"),
)
SIGN_INS: Final = counted(
    _VAULT,
    "sign_ins",
    "Requests for tokens.",
    ("grant", "result"),
    ("success", "refused"),
    grant="client_credentials, authorization_code, refresh_token, device_code, on_behalf_of, password, managed_identity, other",
    result="success, pending (a device whose user has not signed in yet), refused",
)
AUDIT_PENDING: Final = gauge(
    _VAULT, "audit_records_pending", "Records of changes that are in the database and not yet in the log."
)

# --- the house ----------------------------------------------------------------------------------------------------------------

_HOUSE: Final = "Database, seal and token"
DATABASE_UP: Final = gauge(
    _HOUSE, "database_up", "Whether the database answered this scrape. Where not, all that is read from it is absent."
)
WRITABLE: Final = gauge(
    _HOUSE,
    "writable",
    "Whether what every request needs could be written to, as tried for this scrape or some seconds before it.",
    ("part",),
    part="database, audit_log",
)
DATABASE_SIZE: Final = gauge(_HOUSE, "database_size_bytes", "How large the database is.")
DATABASE_SCHEMA: Final = gauge(_HOUSE, "database_schema_info", "The schema's version; always 1.", ("version",))
TRANSACTIONS: Final = counted(
    _HOUSE,
    "database_transactions",
    "Transactions, by result.",
    ("kind", "result"),
    ("done", "failed", "undone"),
    kind="read, write",
    result="done, failed (by the database), undone (what was asked for was refused)",
)
TRANSACTION_SECONDS: Final = timed(
    _HOUSE, "database_transaction_duration_seconds", "How long transactions took, with what they waited for.", ("kind",)
)
SEALED: Final = gauge(_HOUSE, "sealed", "Whether the service waits for somebody to open its seal.")
SEAL_INFO: Final = gauge(
    _HOUSE,
    "seal_info",
    "How the master key is kept; always 1.",
    ("kind",),
    kind="file, passphrase, shamir, hsm, env, credential",
)
HSM_UP: Final = measured(_HOUSE, "hsm_up", "Whether the token answered when it was asked last; absent without one.")
HSM_ASKED: Final = dated(HSM_UP, "hsm_asked_timestamp_seconds", "When it was asked last: until then `hsm_up` keeps its value.")
HSM_OPERATIONS: Final = counted(
    _HOUSE,
    "hsm_operations",
    "What was asked of the token.",
    ("operation", "result"),
    ("done", "failed"),
    operation="generate, import, find, use, destroy",
    result="done, failed",
)
KEY_POOL: Final = gauge(_HOUSE, "spare_keys", "Keys that were made ahead of need, by their kind.", ("kind",))
BUILD_INFO: Final = gauge(_HOUSE, "build_info", "The version that runs; always 1.", ("version",))
