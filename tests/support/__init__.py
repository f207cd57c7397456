"""What the tests lean on: a clock that stands still and the reader of the house's rules."""
