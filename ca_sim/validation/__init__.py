"""How control of an identifier is looked at: one file for each type of challenge."""
