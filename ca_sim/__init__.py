"""ca_sim: a simulated certification authority. It imports nothing of certworker."""
