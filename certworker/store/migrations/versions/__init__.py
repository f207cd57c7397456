"""One file for each revision: expand first, contract a release later."""
