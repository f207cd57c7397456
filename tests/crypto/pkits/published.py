"""What NIST published of the tests of sections 4.4, 4.5, 4.14 and 4.15: valid, revoked, or that nothing can be determined."""

from typing import Final

from certworker.crypto.revocation import Result
from tests.crypto.pkits.suite import GOOD, REVOKED, UNKNOWN, Published

_KEY: Final = "keyCompromise"


def _of(
    ca: str, number: str, last: str, result: Result, reason: str | None = None, *, lists: tuple[str, ...] | None = None
) -> Published:
    """Tell of a test with one authority and its list."""
    return Published(number, last, (f"{ca}CA",), (f"{ca}CACRL",) if lists is None else lists, result, reason)


BASIC: Final = (
    _of("NoCRL", "4.4.1", "InvalidMissingCRLTest1", UNKNOWN, lists=()),
    Published(
        "4.4.2", "InvalidRevokedCATest2", ("GoodCA", "RevokedsubCA"), ("GoodCACRL", "RevokedsubCACRL"), GOOD, between=REVOKED
    ),
    _of("Good", "4.4.3", "InvalidRevokedEETest3", REVOKED, _KEY),
    _of("BadCRLSignature", "4.4.4", "InvalidBadCRLSignatureTest4", UNKNOWN),
    _of("BadCRLIssuerName", "4.4.5", "InvalidBadCRLIssuerNameTest5", UNKNOWN),
    _of("WrongCRL", "4.4.6", "InvalidWrongCRLTest6", UNKNOWN),
    _of("TwoCRLs", "4.4.7", "ValidTwoCRLsTest7", GOOD, lists=("TwoCRLsCABadCRL", "TwoCRLsCAGoodCRL")),
    _of("UnknownCRLEntryExtension", "4.4.8", "InvalidUnknownCRLEntryExtensionTest8", UNKNOWN),
    _of("UnknownCRLExtension", "4.4.9", "InvalidUnknownCRLExtensionTest9", UNKNOWN),
    _of("UnknownCRLExtension", "4.4.10", "InvalidUnknownCRLExtensionTest10", UNKNOWN),
    _of("OldCRLnextUpdate", "4.4.11", "InvalidOldCRLnextUpdateTest11", UNKNOWN),
    _of("pre2000CRLnextUpdate", "4.4.12", "Invalidpre2000CRLnextUpdateTest12", UNKNOWN),
    _of("GeneralizedTimeCRLnextUpdate", "4.4.13", "ValidGeneralizedTimeCRLnextUpdateTest13", GOOD),
    _of("NegativeSerialNumber", "4.4.14", "ValidNegativeSerialNumberTest14", GOOD),
    _of("NegativeSerialNumber", "4.4.15", "InvalidNegativeSerialNumberTest15", REVOKED, _KEY),
    _of("LongSerialNumber", "4.4.16", "ValidLongSerialNumberTest16", GOOD),
    _of("LongSerialNumber", "4.4.17", "ValidLongSerialNumberTest17", GOOD),
    _of("LongSerialNumber", "4.4.18", "InvalidLongSerialNumberTest18", REVOKED, _KEY),
)


def _separate(number: str, last: str, name: str, result: Result, reason: str | None = None) -> Published:
    """Tell of a test with an authority that signs lists with another key than certificates, both certified by the anchor."""
    signers = (f"{name}CRLSigningCert",)
    return Published(number, last, (f"{name}CertificateSigningCA",), (f"{name}CRL",), result, reason, signers=signers)


SEPARATE_KEYS: Final = (
    _separate("4.4.19", "ValidSeparateCertificateandCRLKeysTest19", "SeparateCertificateandCRLKeys", GOOD),
    _separate("4.4.20", "InvalidSeparateCertificateandCRLKeysTest20", "SeparateCertificateandCRLKeys", REVOKED, _KEY),
    # the certificate for the key that the list is signed with is revoked
    _separate("4.4.21", "InvalidSeparateCertificateandCRLKeysTest21", "SeparateCertificateandCRLKeysCA2", UNKNOWN),
)

_NEW_KEY: Final = ("BasicSelfIssuedNewKeyCA", "BasicSelfIssuedNewKeyOldWithNewCA")
_OLD_KEY: Final = ("BasicSelfIssuedOldKeyCA",)
_BOTH_KEYS: Final = ("BasicSelfIssuedOldKeyCA", "BasicSelfIssuedOldKeyNewWithOldCA")
_OLD_LISTS: Final = ("BasicSelfIssuedOldKeySelfIssuedCertCRL", "BasicSelfIssuedOldKeyCACRL")
_NEW_SIGNER: Final = ("BasicSelfIssuedOldKeyNewWithOldCACert",)
_OWN_KEY: Final = ("BasicSelfIssuedCRLSigningKeyCA",)
_OWN_LISTS: Final = ("BasicSelfIssuedCRLSigningKeyCRLCertCRL", "BasicSelfIssuedCRLSigningKeyCACRL")
_OWN_SIGNER: Final = ("BasicSelfIssuedCRLSigningKeyCRLCert",)
_NEW_LISTS: Final = ("BasicSelfIssuedNewKeyCACRL",)

SELF_ISSUED: Final = (
    Published("4.5.1", "ValidBasicSelfIssuedOldWithNewTest1", _NEW_KEY, _NEW_LISTS, GOOD),
    Published("4.5.2", "InvalidBasicSelfIssuedOldWithNewTest2", _NEW_KEY, _NEW_LISTS, REVOKED, _KEY),
    Published("4.5.3", "ValidBasicSelfIssuedNewWithOldTest3", _BOTH_KEYS, _OLD_LISTS, GOOD),
    Published("4.5.4", "ValidBasicSelfIssuedNewWithOldTest4", _OLD_KEY, _OLD_LISTS, GOOD, signers=_NEW_SIGNER),
    Published("4.5.5", "InvalidBasicSelfIssuedNewWithOldTest5", _OLD_KEY, _OLD_LISTS, REVOKED, _KEY, signers=_NEW_SIGNER),
    Published("4.5.6", "ValidBasicSelfIssuedCRLSigningKeyTest6", _OWN_KEY, _OWN_LISTS, GOOD, signers=_OWN_SIGNER),
    Published("4.5.7", "InvalidBasicSelfIssuedCRLSigningKeyTest7", _OWN_KEY, _OWN_LISTS, REVOKED, _KEY, signers=_OWN_SIGNER),
    # the key that the certificate is signed with may sign nothing but lists
    Published(
        "4.5.8",
        "InvalidBasicSelfIssuedCRLSigningKeyTest8",
        ("BasicSelfIssuedCRLSigningKeyCA", "BasicSelfIssuedCRLSigningKeyCRL"),
        _OWN_LISTS,
        UNKNOWN,
    ),
)

POINTS: Final = (
    _of("distributionPoint1", "4.14.1", "ValiddistributionPointTest1", GOOD),
    _of("distributionPoint1", "4.14.2", "InvaliddistributionPointTest2", REVOKED, _KEY),
    _of("distributionPoint1", "4.14.3", "InvaliddistributionPointTest3", UNKNOWN),
    _of("distributionPoint1", "4.14.4", "ValiddistributionPointTest4", GOOD),
    _of("distributionPoint2", "4.14.5", "ValiddistributionPointTest5", GOOD),
    _of("distributionPoint2", "4.14.6", "InvaliddistributionPointTest6", REVOKED, _KEY),
    _of("distributionPoint2", "4.14.7", "ValiddistributionPointTest7", GOOD),
    _of("distributionPoint2", "4.14.8", "InvaliddistributionPointTest8", UNKNOWN),
    _of("distributionPoint2", "4.14.9", "InvaliddistributionPointTest9", UNKNOWN),
    _of("NoissuingDistributionPoint", "4.14.10", "ValidNoissuingDistributionPointTest10", GOOD),
    _of("onlyContainsUserCerts", "4.14.11", "InvalidonlyContainsUserCertsTest11", UNKNOWN),
    _of("onlyContainsCACerts", "4.14.12", "InvalidonlyContainsCACertsTest12", UNKNOWN),
    _of("onlyContainsCACerts", "4.14.13", "ValidonlyContainsCACertsTest13", GOOD),
    _of("onlyContainsAttributeCerts", "4.14.14", "InvalidonlyContainsAttributeCertsTest14", UNKNOWN),
)


def _reasons(number: str, test: str, ca: int, result: Result, reason: str | None = None) -> Published:
    """Tell of a test with an authority that has a list for some reasons, and another for others."""
    ends = ("CRL1", "CRL2") if ca == 2 else ("compromiseCRL", "otherreasonsCRL")
    lists = tuple(f"onlySomeReasonsCA{ca}{end}" for end in ends)
    return Published(number, test, (f"onlySomeReasonsCA{ca}",), lists, result, reason)


REASONS: Final = (
    _reasons("4.14.15", "InvalidonlySomeReasonsTest15", 1, REVOKED, _KEY),
    _reasons("4.14.16", "InvalidonlySomeReasonsTest16", 1, REVOKED, "certificateHold"),
    _reasons("4.14.17", "InvalidonlySomeReasonsTest17", 2, UNKNOWN),
    _reasons("4.14.18", "ValidonlySomeReasonsTest18", 3, GOOD),
    _reasons("4.14.19", "ValidonlySomeReasonsTest19", 4, GOOD),
    _reasons("4.14.20", "InvalidonlySomeReasonsTest20", 4, REVOKED, _KEY),
    _reasons("4.14.21", "InvalidonlySomeReasonsTest21", 4, REVOKED, "affiliationChanged"),
)


def _indirect(
    number: str, test: str, ca: int, signer: str, lists: tuple[str, ...], result: Result, reason: str | None = None
) -> Published:
    """Tell of a test with an authority whose lists another makes."""
    signers = (f"{signer}Cert",) if signer else ()
    return Published(number, test, (f"indirectCRLCA{ca}",), lists, result, reason, signers=signers)


_CA1: Final = ("indirectCRLCA1CRL",)
_CA3: Final = ("indirectCRLCA3CRL", "indirectCRLCA3cRLIssuerCRL")
_CA5: Final = ("indirectCRLCA5CRL",)

INDIRECT: Final = (
    _indirect("4.14.22", "ValidIDPwithindirectCRLTest22", 1, "", _CA1, GOOD),
    _indirect("4.14.23", "InvalidIDPwithindirectCRLTest23", 1, "", _CA1, REVOKED, _KEY),
    _indirect("4.14.24", "ValidIDPwithindirectCRLTest24", 2, "indirectCRLCA1", _CA1, GOOD),
    _indirect("4.14.25", "ValidIDPwithindirectCRLTest25", 2, "indirectCRLCA1", _CA1, GOOD),
    _indirect("4.14.26", "InvalidIDPwithindirectCRLTest26", 2, "indirectCRLCA1", _CA1, UNKNOWN),
    _indirect("4.14.27", "InvalidcRLIssuerTest27", 2, "GoodCA", ("GoodCACRL",), UNKNOWN),
    _indirect("4.14.28", "ValidcRLIssuerTest28", 3, "indirectCRLCA3cRLIssuer", _CA3, GOOD),
    _indirect("4.14.29", "ValidcRLIssuerTest29", 3, "indirectCRLCA3cRLIssuer", _CA3, GOOD),
    # the certificate of the lists' signer stands on its own list
    _indirect("4.14.30", "ValidcRLIssuerTest30", 4, "indirectCRLCA4cRLIssuer", ("indirectCRLCA4cRLIssuerCRL",), GOOD),
    _indirect("4.14.31", "InvalidcRLIssuerTest31", 6, "indirectCRLCA5", _CA5, REVOKED, _KEY),
    _indirect("4.14.32", "InvalidcRLIssuerTest32", 6, "indirectCRLCA5", _CA5, REVOKED, _KEY),
    _indirect("4.14.33", "ValidcRLIssuerTest33", 6, "indirectCRLCA5", _CA5, GOOD),
    _indirect("4.14.34", "InvalidcRLIssuerTest34", 5, "", _CA5, REVOKED, _KEY),
    _indirect("4.14.35", "InvalidcRLIssuerTest35", 5, "", _CA5, UNKNOWN),
)


def _delta(number: str, test: str, ca: int, result: Result, reason: str | None = None) -> Published:
    """Tell of a test with a complete list and a delta."""
    lists = (f"deltaCRLCA{ca}CRL", f"deltaCRLCA{ca}deltaCRL")
    return Published(number, test, (f"deltaCRLCA{ca}",), lists, result, reason)


DELTAS: Final = (
    _of("deltaCRLIndicatorNoBase", "4.15.1", "InvaliddeltaCRLIndicatorNoBaseTest1", UNKNOWN),
    _delta("4.15.2", "ValiddeltaCRLTest2", 1, GOOD),
    _delta("4.15.3", "InvaliddeltaCRLTest3", 1, REVOKED, _KEY),
    _delta("4.15.4", "InvaliddeltaCRLTest4", 1, REVOKED, _KEY),
    _delta("4.15.5", "ValiddeltaCRLTest5", 1, GOOD),
    _delta("4.15.6", "InvaliddeltaCRLTest6", 1, REVOKED, _KEY),
    _delta("4.15.7", "ValiddeltaCRLTest7", 1, GOOD),
    _delta("4.15.8", "ValiddeltaCRLTest8", 2, GOOD),
    _delta("4.15.9", "InvaliddeltaCRLTest9", 2, REVOKED, _KEY),
    _delta("4.15.10", "InvaliddeltaCRLTest10", 3, UNKNOWN),
)

PUBLISHED: Final = (*BASIC, *SEPARATE_KEYS, *SELF_ISSUED, *POINTS, *REASONS, *INDIRECT, *DELTAS)
