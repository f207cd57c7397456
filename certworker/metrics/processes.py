"""The metrics of the service's own processes: how often they start, and how they end unasked."""

from typing import Final

from certworker.metrics.metric import counted

_TOPIC: Final = "Processes"
STARTS: Final = counted(
    _TOPIC,
    "process_starts",
    "Starts of the service's processes, those with the service itself and at a reload among them.",
    ("role",),
    role="api, worker, sealed",
)
EXITS: Final = counted(
    _TOPIC,
    "process_exits",
    "Ends of the service's processes that nobody had asked for; each is started again, after a pause that grows.",
    ("role", "how"),
    ("SIGKILL", "SIGSEGV", "SIGABRT", "SIGBUS", "SIGTERM", "other_signal", "status_0", "status_1", "other_status"),
    role="api, worker, sealed, ca-sim",
    how="SIGKILL (the system does so where memory runs out), SIGSEGV, SIGABRT, SIGBUS, SIGTERM, other_signal, status_0, "
    "status_1 (it could not go on; the log says why), other_status",
)
OF_PROCESSES: Final = (STARTS, EXITS)
