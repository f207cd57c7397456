"""The API in the style of GlobalSign Atlas, asked by hand."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.in_process import NoAnswerError
from ca_sim.settings import SettingsError, read
from tests.ca_sim.atlas import START, AtlasCaller, atlas, public_pem, signature

HOUR = 3600
NOW = int(START.timestamp())
NAMES = [f"host{number}.test" for number in range(100)]


@pytest.fixture
def caller() -> Iterator[AtlasCaller]:
    """Log in at an authority of its own."""
    with atlas() as caller:
        yield caller


def test_a_certificate_is_had_and_is_what_was_asked_for(caller: AtlasCaller) -> None:
    """Names, addresses, key, validity and usages are those of the request, and its trust chain leads up from it."""
    key = ec.generate_private_key(ec.SECP384R1())
    names = {"dns_names": ["a.test", "*.b.test"], "ip_addresses": ["192.0.2.1", "2001:db8::1"]}
    usages = ["1.3.6.1.5.5.7.3.1"]
    reply = caller.request(key=key, san=names, subject_dn={"common_name": "a.test"}, extended_key_usages=usages)
    answer = caller.ask("GET", f"/certificates/{reply.serial}")
    assert (answer.status, answer.body["status"], answer.body["updated_at"]) == (200, "ISSUED", NOW)
    leaf = x509.load_pem_x509_certificate(answer.body["certificate"].encode())
    assert f"{leaf.serial_number:X}" == reply.serial
    assert leaf.public_key() == key.public_key()
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (START, START + timedelta(hours=1))
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == names["dns_names"]
    assert [str(ip) for ip in found.get_values_for_type(x509.IPAddress)] == names["ip_addresses"]
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [purpose.dotted_string for purpose in purposes] == usages
    chain = [x509.load_pem_x509_certificate(pem.encode()) for pem in caller.ask("GET", "/trustchain").body]
    for below, above in zip([leaf, *chain], chain, strict=False):
        below.verify_directly_issued_by(above)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), hashes.SHA256()),
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()),
        (ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()),
    ],
    ids=["RSA", "P-256", "P-521"],
)
def test_possession_is_proven_by_a_signature(
    caller: AtlasCaller, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, algorithm: hashes.HashAlgorithm
) -> None:
    """A signature of the public key by its own private key is taken, one by another is not, nor none."""
    assert caller.request(key=key, public_key_signature=signature(key, algorithm)).status == 201
    other = signature(ec.generate_private_key(ec.SECP256R1()))
    for wrong in (other, "", "not base64", None):
        reply = caller.request(key=key, public_key_signature=wrong)
        assert (reply.status, reply.description.split(":")[0]) == (422, "public_key_signature")
    assert caller.ask("GET", "/counters/certificates/issued").body == {"value": 1}


def test_possession_is_proven_by_a_request() -> None:
    """Where the policy wants a CSR, only its key and its signature count; a bare key is refused."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = csr.public_bytes(Encoding.PEM).decode()
    with atlas(proof="csr") as caller:
        assert caller.ask("GET", "/validationpolicy").body["public_key"]["key_format"] == "PKCS10"
        assert caller.request(public_key=pem, public_key_signature=None).status == 201
        assert "FORBIDDEN" in caller.request(public_key=pem).description
        assert "certificate request" in caller.request(public_key_signature=None).description
        forged = pem.splitlines()
        forged[-2] = "A" * len(forged[-2])
        assert caller.request(public_key="\n".join(forged), public_key_signature=None).status == 422


def test_a_token_is_for_ten_minutes(caller: AtlasCaller) -> None:
    """By the authority's clock; then a log-in gives another one."""
    caller.step(599)
    assert caller.ask("GET", "/quotas/issuance").body == {"value": 1_000_000}
    caller.step(1)
    reply = caller.ask("GET", "/quotas/issuance")
    assert (reply.status, "log in" in reply.description) == (401, True)
    assert caller.log_in().status == 200
    assert caller.ask("GET", "/quotas/issuance").status == 200


@pytest.mark.parametrize("changed", [{"api_secret": "wrong"}, {"api_key": "nobody"}, {"api_key": "", "api_secret": ""}])
def test_who_is_not_known_does_not_get_in(caller: AtlasCaller, changed: dict[str, str]) -> None:
    """Which of key and secret is wrong is not told."""
    reply = caller.log_in(**changed)
    assert (reply.status, reply.description) == (401, "the API key or the API secret is wrong")


def test_a_client_certificate_is_needed(caller: AtlasCaller) -> None:
    """Without one, with one that the same authority issued to somebody for a server, and with a dismissed one: 403."""
    own, caller.certificate = caller.certificate, None
    assert caller.log_in().status == 403
    caller.certificate = own
    assert caller.log_in().status == 200
    issued = caller.ask("GET", f"/certificates/{caller.request().serial}").body["certificate"]
    token, other = caller.token, x509.load_pem_x509_certificate(issued.encode()).public_bytes(Encoding.DER)
    caller.certificate = other
    assert caller.ask("GET", "/trustchain").status == 403
    caller.get_certificate()
    assert caller.ask("GET", "/trustchain").status == 401  # the token is bound to the other client certificate
    caller.token, caller.certificate = token, own
    assert caller.ask("GET", "/trustchain").status == 200
    for fingerprint in caller.manage("GET", "/globalsign/clients").body["sha256"]:
        assert caller.manage("DELETE", f"/globalsign/clients/{fingerprint}").status == 204
    assert caller.ask("GET", "/trustchain").status == 403
    assert caller.manage("POST", "/globalsign/clients", {}).status == 400
    assert caller.manage("POST", "/globalsign/clients", {"csr": "nothing"}).status == 400


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"validity": {"not_before": NOW, "not_after": NOW + 60}}, "validity: 60 seconds asked for, 3600 to"),
        ({"validity": {"not_before": NOW, "not_after": NOW + 398 * 86400}}, "validity: "),
        ({"validity": {"not_before": NOW - 600, "not_after": NOW + HOUR}}, "validity.not_before: "),
        ({"validity": {"not_before": "soon"}}, "validity.not_before: "),
        ({"san": {"dns_names": []}}, "san: at least one"),
        ({"san": {"dns_names": ["a.test"], "emails": ["a@b.test"]}}, "san.emails: 1 given, the most is 0"),
        ({"san": {"dns_names": ["not a name"]}}, "san: "),
        ({"san": {"dns_names": ["x.blocked.test"]}}, "san: the policy of this authority blocks"),
        ({"san": {"dns_names": ["a.test"] * 101}}, "san.dns_names: "),
        ({"san": {"ip_addresses": ["300.1.1.1"]}}, "san: "),
        ({"subject_dn": {"common_name": "other.test"}}, "subject_dn.common_name: it is none of the names"),
        ({"subject_dn": {"organization": "Contoso"}}, "subject_dn.organization: it is FORBIDDEN"),
        ({"subject_dn": {"country": "DE", "pet": "cat"}}, "subject_dn.pet: "),
        ({"extended_key_usages": ["1.3.6.1.5.5.7.3.3"]}, "extended_key_usages: '1.3.6.1.5.5.7.3.3' matches none"),
        ({"extended_key_usages": ["1.3.6.1.5.5.7.3.1\n"]}, "extended_key_usages: '1.3.6.1.5.5.7.3.1\\n' matches none"),
        ({"san": {"dns_names": NAMES, "ip_addresses": ["192.0.2.1"]}}, "san: 101 given in all, the most is 100"),
        ({"public_key": public_pem(ec.generate_private_key(ec.SECP256K1()))}, "public_key: only RSA keys, and those of P-256"),
        ({"public_key_signature": "\u00e9"}, "public_key_signature: "),
        ({"public_key": "nothing"}, "public_key: it is not a PEM public key"),
        ({"public_key": public_pem(ec.generate_private_key(ec.SECP224R1()))}, "public_key: only RSA keys, and those of P-256"),
        ({"surprise": 1}, "surprise: "),
    ],
)
def test_what_is_against_the_policy_is_refused(changed: dict[str, object], says: str) -> None:
    """With 422 and one line that names the member; nothing is issued."""
    with atlas({"blocked_identifiers": ["blocked.test"]}) as caller:
        reply = caller.request(key=None, **changed)
        assert (reply.status, reply.description[: len(says)]) == (422, says), reply
        assert caller.ask("GET", "/counters/certificates/issued").body == {"value": 0}


def test_what_is_no_json_is_refused(caller: AtlasCaller) -> None:
    """As is what is too large."""
    assert caller.ask("POST", "/certificates", b"{").status == 422
    assert caller.ask("POST", "/certificates", b" " * (1 << 19)).status == 400
    assert caller.ask("GET", "/nothing").description == "Not Found"
    assert caller.ask("PUT", "/trustchain").status == 405


def test_the_policy_puts_its_subject_into_every_certificate() -> None:
    """It is told as STATIC, and the longest validity is given to who asks for no end."""
    with atlas(subject={"organization": "Contoso", "country": "DE"}, most_validity_seconds=86400) as caller:
        policy = caller.ask("GET", "/validationpolicy").body
        assert policy["subject_dn"]["organization"] == {"presence": "STATIC", "format": "Contoso"}
        reply = caller.request(validity={"not_before": NOW})
        pem = caller.ask("GET", f"/certificates/{reply.serial}").body["certificate"]
        leaf = x509.load_pem_x509_certificate(pem.encode())
        assert leaf.subject.rfc4514_string() == "O=Contoso,C=DE"
        assert leaf.not_valid_after_utc == START + timedelta(days=1)


def test_a_certificate_is_not_there_at_once() -> None:
    """It is 202 until its time, shows in the statistics after their lag, and is nobody else's."""
    with atlas(issue_seconds=20, stats_lag_seconds=60, accounts={"ca-sim-key": "ca-sim-secret", "two": "2"}) as caller:
        serial = caller.request().serial
        assert caller.ask("GET", f"/certificates/{serial}").status == 202
        caller.step(20)
        assert caller.ask("GET", f"/certificates/{serial}").status == 200
        window = f"/stats/issued?from={NOW - 60}&to={NOW + 60}"
        assert caller.ask("GET", window).body == []
        caller.step(40)
        meta = {"serial_number": serial, "not_before": NOW, "not_after": NOW + HOUR}
        assert caller.ask("GET", window).body == [meta]
        caller.log_in(api_key="two", api_secret="2")
        assert caller.ask("GET", f"/certificates/{serial}").status == 404
        assert caller.ask("GET", window).body == []


def test_statistics_come_in_pages() -> None:
    """With the count of all in a header; what was issued outside of the time is left out."""
    with atlas(stats_lag_seconds=0) as caller:
        serials = [caller.request().serial for _ in range(3)]
        caller.step(100)
        caller.request()
        shown = []
        for page in (1, 2, 3):
            reply = caller.ask("GET", f"/stats/issued?from={NOW}&to={NOW + 50}&page={page}&per_page=2")
            assert reply.headers["total-count"] == "3"
            shown += [entry["serial_number"] for entry in reply.body]
        assert shown == serials
        assert caller.ask("GET", f"/stats/issued?from=0&to={NOW}").status == 422
        assert caller.ask("GET", "/stats/issued?page=x").status == 422
        assert len(caller.ask("GET", f"/stats/expiring?from={NOW}&to={NOW + 2 * HOUR}").body) == 4


def test_a_certificate_is_revoked_once(caller: AtlasCaller) -> None:
    """With a reason; its status, the counters and the statistics tell it."""
    serial = caller.request().serial
    path = f"/certificates/{serial}"
    assert caller.ask("PATCH", path, {"revocation_reason": "because"}).status == 422
    assert caller.ask("PATCH", path, {"revocation_time": NOW + 1}).status == 422
    caller.step(5)
    assert caller.ask("PATCH", path, {"revocation_reason": "superseded"}).status == 204
    assert caller.ask("GET", path).body["status"] == "REVOKED"
    assert caller.ask("GET", path).body["updated_at"] == NOW + 5
    assert "was revoked" in caller.ask("PATCH", path, {"revocation_reason": "superseded"}).description
    assert caller.ask("GET", "/counters/certificates/revoked").body == {"value": 1}
    assert [entry["serial_number"] for entry in caller.ask("GET", "/stats/revoked").body] == [serial]
    assert caller.ask("PATCH", "/certificates/ABCD", {"revocation_reason": "superseded"}).status == 404


def test_an_account_has_a_budget_and_a_quota() -> None:
    """Requests of one second beyond the budget are told when to come again; a quota that is used up refuses."""
    with atlas(requests_per_second=3, quota=1) as caller:
        assert caller.request().status == 201
        assert "quota" in caller.request().description
        assert caller.ask("GET", "/quotas/issuance").body == {"value": 0}
        reply = caller.ask("GET", "/trustchain")
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")
        caller.step(1)
        assert caller.ask("GET", "/trustchain").status == 200


def test_faults_show_in_the_shape_of_this_api(caller: AtlasCaller) -> None:
    """Refusals are problem documents; what is dropped after the commit was issued all the same."""
    caller.arm(kind="throttle", at=["globalsign.request"], count=1, seconds=7)
    reply = caller.request()
    assert (reply.status, reply.headers["retry-after"], reply.description) == (429, "7", "too many requests")
    caller.arm(kind="drop-after", at=["globalsign.request"], count=1)
    with pytest.raises(NoAnswerError):
        caller.request()
    assert caller.ask("GET", "/counters/certificates/issued").body == {"value": 1}
    caller.arm(kind="caa", at=["globalsign.issue"], count=1)
    assert "CAA" in caller.request().description
    caller.arm(kind="stuck", at=["globalsign.issue"], count=1)
    serial = caller.request().serial
    caller.step(30 * 86400)
    caller.log_in()
    assert caller.ask("GET", f"/certificates/{serial}").status == 202
    right = caller.ask("GET", "/trustchain").body
    caller.arm(kind="wrong-chain", at=["globalsign.trustchain"], count=1)
    assert caller.ask("GET", "/trustchain").body[0] != right[0]
    caller.arm(kind="wrong-chain", at=["globalsign.issue"], count=1)
    caller.request()
    assert caller.ask("GET", "/trustchain").body[0] != right[0]
    caller.request()
    assert caller.ask("GET", "/trustchain").body == right


def test_a_book_remembers_certificates_clients_and_claims(tmp_path: object) -> None:
    """After a restart the token is forgotten, and nothing else."""
    top = {"state_directory": str(tmp_path)}
    with atlas(top, claimed_domains=["example.test"]) as caller:
        serial, own = caller.request().serial, caller.certificate
        assert caller.ask("POST", "/claims/domains/other.test").status == 201
        token = caller.token
    with atlas(top) as caller:
        caller.certificate, caller.token = own, token
        assert caller.ask("GET", f"/certificates/{serial}").status == 401
        caller.log_in()
        assert caller.ask("GET", f"/certificates/{serial}").status == 200
        assert [claim["domain"] for claim in caller.ask("GET", "/claims/domains?status=PENDING").body] == ["other.test"]


def test_a_common_name_is_spelt_as_the_name_that_it_repeats(caller: AtlasCaller) -> None:
    """It is the same text as in the alternative names, however it was written (baseline requirements, section 7.1.4.3)."""
    serial = caller.request("www.example.test", subject_dn={"common_name": "WWW.Example.test"}).serial
    leaf = x509.load_pem_x509_certificate(caller.ask("GET", f"/certificates/{serial}").body["certificate"].encode())
    assert leaf.subject.rfc4514_string() == "CN=www.example.test"


def test_what_cannot_be_signed_any_more_is_said_so(caller: AtlasCaller) -> None:
    """After the end of the intermediate a request fails in the shape of the API."""
    caller.step(19 * 366 * 86_400)
    assert caller.log_in().status == 200
    begin = NOW + 19 * 366 * 86_400
    reply = caller.request(validity={"not_before": begin, "not_after": 0})
    assert (reply.status, "cannot be signed" in reply.description) == (500, True)
    assert caller.ask("GET", "/counters/certificates/issued").body == {"value": 0}


@pytest.mark.parametrize(
    "section",
    [
        {"accounts": {"key": ["a-secret"]}},
        {"accounts": "a-secret"},
        {"accounts": {"key": ""}},
        {"subject": {"country": "USA"}},
        {"subject": {"organization": "x" * 65}},
        {"claim_days": 1_000_000},
    ],
)
def test_bad_settings_are_refused(section: dict[str, object]) -> None:
    """A wrong setting is named, and no API secret is in what is said of it."""
    with pytest.raises(SettingsError) as refusal:
        read({"globalsign": section})
    assert f"globalsign.{next(iter(section))}" in str(refusal.value)
    assert "a-secret" not in str(refusal.value)
