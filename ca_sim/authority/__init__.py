"""Keys and certificates of the authority, and what they sign."""
