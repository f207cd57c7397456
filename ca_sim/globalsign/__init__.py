"""A REST API in the style of GlobalSign Atlas."""
