"""One file for each kind of certification authority."""
