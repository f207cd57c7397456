"""The summary of the fleet: how each certificate stands, and how many do; kept as things change."""
