"""[throttling]: how often a vault may be asked, by the class of the operation."""

from typing import Annotated

from pydantic import Field

from certworker.settings.section import Section

Limit = Annotated[int, Field(ge=1, le=10_000_000)]


class ThrottlingSettings(Section):
    """[throttling]: how many requests a vault may have in 10 seconds, by class; a subscription has five times as many."""

    enabled: bool = Field(default=False, description="answer 429 to what is over the limits; off: there are none")
    key_creations: Limit = Field(20, description="software keys made in 10 seconds; kept for each process by its share")
    hsm_key_creations: Limit = Field(10, description="keys made in a hardware token in 10 seconds; together with the others")
    secret_creations: Limit = Field(300, description="secrets set, and keys and certificates imported, in 10 seconds")
    key_operations: Limit = Field(4000, description="other requests for keys in 10 seconds: RSA of 2048 bits, and EC")
    key_operations_rsa_3072: Limit = Field(1000, description="the same for RSA of 3072 bits; they count together")
    key_operations_rsa_4096: Limit = Field(500, description="the same for RSA of 4096 bits")
    hsm_key_operations: Limit = Field(2000, description="the same for keys in a hardware token: RSA of 2048 bits, EC and oct")
    hsm_key_operations_rsa_3072: Limit = Field(500, description="the same for RSA of 3072 bits in a hardware token")
    hsm_key_operations_rsa_4096: Limit = Field(250, description="the same for RSA of 4096 bits in a hardware token")
    other: Limit = Field(4000, description="all other requests in 10 seconds")
