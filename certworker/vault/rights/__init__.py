"""Rights: roles and where they are assigned, access policies, and the words of both. `vault/access.py` decides by them."""
