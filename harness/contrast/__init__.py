"""Two measurements of the same thing held against each other: what they are, whether they compare, what differs."""
