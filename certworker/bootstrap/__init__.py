"""The only wiring: settings and a clock become a House."""

from certworker.bootstrap.ground import open_source
from certworker.bootstrap.house import House
from certworker.bootstrap.wiring import NO_PROVIDERS, SERVER_CERTIFICATE_VALIDITY, build, open_house
from certworker.seal.master_file import make_master_key, read_master_key

__all__ = [
    "NO_PROVIDERS",
    "SERVER_CERTIFICATE_VALIDITY",
    "House",
    "build",
    "make_master_key",
    "open_house",
    "open_source",
    "read_master_key",
]
