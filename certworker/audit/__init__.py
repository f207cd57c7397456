"""The audit log on disk: one hash chain for each process instance, appended to, rotated, signed, verified and searched."""
