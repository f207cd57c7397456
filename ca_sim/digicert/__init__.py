"""A REST API in the style of DigiCert CertCentral."""
