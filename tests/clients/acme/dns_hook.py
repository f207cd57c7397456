"""What certbot's manual plugin calls: `present` adds the TXT record of a challenge to a zone, `cleanup` removes it.

Environment: CERTBOT_DOMAIN and CERTBOT_VALIDATION from certbot; DNS_PORT, DNS_ZONE, TSIG_KEY and TSIG_SECRET from the test.
"""

import os
import sys

import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

LOOPBACK = "127.0.0.1"


def main() -> None:
    """Send one dynamic update (RFC 2136), signed (RFC 8945), and fail with what the server says."""
    domain, value = os.environ["CERTBOT_DOMAIN"], os.environ["CERTBOT_VALIDATION"]
    keys = dns.tsigkeyring.from_text({os.environ["TSIG_KEY"]: ("hmac-sha256", os.environ["TSIG_SECRET"])})
    update = dns.update.UpdateMessage(os.environ["DNS_ZONE"], keyring=keys)
    owner = f"_acme-challenge.{domain}."
    if sys.argv[1] == "present":
        update.add(owner, 1, "TXT", value)
    else:
        update.delete(owner, "TXT", value)
    answer = dns.query.tcp(update, LOOPBACK, port=int(os.environ["DNS_PORT"]), timeout=10)
    if answer.rcode() != dns.rcode.NOERROR:
        sys.exit(f"the name server refused the update: {dns.rcode.to_text(answer.rcode())}")


main()
