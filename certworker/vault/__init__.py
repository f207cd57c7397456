"""The nouns and their rules. No SQL, HTTP, network or scheduler."""
