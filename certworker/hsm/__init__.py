"""PKCS#11: sessions, pools, and keys that never leave their token."""
