"""PKCS#12 and PEM open where people open them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, pkcs12

from certworker.crypto.bundles import pem_bundle, pkcs12_bundle
from certworker.crypto.keys import generate_key, private_pem
from certworker.crypto.x509 import split_pem
from tests.crypto.authorities import Authority, ec_key

ROOT = Authority("Root")


@pytest.fixture(params=["RSA", "EC"])
def key(request: pytest.FixtureRequest) -> bytes:
    """Make a key of each kind."""
    return generate_key("RSA", 2048, None) if request.param == "RSA" else ec_key()


def test_pkcs12_opens_with_an_empty_password(key: bytes) -> None:
    """Key, leaf and chain come back, for readers who give an empty password and for those who give none."""
    leaf, root = ROOT.leaf(key), ROOT.certificate()
    bundle = pkcs12_bundle(key, leaf, [root])
    for password in (b"", None):
        found = pkcs12.load_pkcs12(bundle, password)
        assert found.key is not None
        assert found.key.private_numbers() == load_der_private_key(key, None).private_numbers()  # type: ignore[union-attr]
        assert found.cert is not None
        assert found.cert.certificate.public_bytes(Encoding.DER) == leaf
        assert [above.certificate.public_bytes(Encoding.DER) for above in found.additional_certs] == [root]


@pytest.mark.system("openssl")
def test_openssl_opens_it_and_finds_it_whole(key: bytes, tmp_path: Path) -> None:
    """The MAC is there and holds for the empty password: older OpenSSL and Windows refuse a file without one."""
    file = tmp_path / "bundle.p12"
    file.write_bytes(pkcs12_bundle(key, ROOT.leaf(key), [ROOT.certificate()]))
    command = [shutil.which("openssl") or "openssl", "pkcs12", "-in", str(file), "-passin", "pass:", "-nodes", "-info"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "MAC: sha256" in shown.stderr
    assert "absent" not in shown.stderr
    assert private_pem(key).decode() in shown.stdout
    assert shown.stdout.count("BEGIN CERTIFICATE") == 2


JAVA = """
public class Open {
    public static void main(String[] arguments) throws Exception {
        java.security.KeyStore store = java.security.KeyStore.getInstance("PKCS12");
        store.load(new java.io.FileInputStream(arguments[0]), new char[0]);
        String alias = store.aliases().nextElement();
        System.out.println(store.getKey(alias, new char[0]).getFormat() + " " + store.getCertificateChain(alias).length);
    }
}
"""


@pytest.mark.system("java")
def test_java_opens_it(tmp_path: Path) -> None:
    """Java's key store finds the private key and its chain with an empty password; it passes over keys in the clear."""
    key = ec_key()
    bundle, program = tmp_path / "bundle.p12", tmp_path / "Open.java"
    bundle.write_bytes(pkcs12_bundle(key, ROOT.leaf(key), [ROOT.certificate()]))
    program.write_text(JAVA)
    command = [shutil.which("java") or "java", str(program), str(bundle)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    if "jdk.compiler" in shown.stderr:
        pytest.skip("this Java has no compiler")
    assert (shown.stdout, shown.stderr) == ("PKCS#8 2\n", "")


def test_pem_has_key_leaf_chain_in_that_order(key: bytes) -> None:
    """`PRIVATE KEY` comes first, lines end in a line feed, and the certificates follow as they lead up."""
    leaf, root = ROOT.leaf(key), ROOT.certificate()
    pem = pem_bundle(key, leaf, [root])
    assert pem.startswith(private_pem(key))
    assert private_pem(key).startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert split_pem(pem) == (leaf, root)
    assert b"\r" not in pem


def test_without_a_key_there_is_none_in_either_form(key: bytes) -> None:
    """A certificate whose key is not exportable travels without it, in PKCS#12 and in PEM."""
    leaf, root = ROOT.leaf(key), ROOT.certificate()
    bundle = pkcs12_bundle(None, leaf, [root])
    found = pkcs12.load_pkcs12(bundle, b"")
    assert (found.key, found.cert) == (None, None)
    assert [one.certificate.public_bytes(Encoding.DER) for one in found.additional_certs] == [leaf, root]
    pem = pem_bundle(None, leaf, [root])
    assert b"PRIVATE" not in pem
    assert split_pem(pem) == (leaf, root)
