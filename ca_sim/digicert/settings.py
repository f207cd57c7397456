"""Settings of the API in the style of DigiCert CertCentral."""

from ca_sim.setting import Port, Section, setting


class DigicertSettings(Section):
    """[digicert]."""

    port: Port = setting(14010, unit="TCP port", help="Port of this API (HTTPS); 0 takes a free one.")
