"""HTTP in, HTTP out: a route parses, calls one service method, renders."""
