"""What goes wrong on purpose: which faults there are, when they strike, and how they show on the wire."""
