"""Score suites: one contestant's answers graded turn by turn, and a candidate held against a baseline by its grades."""
