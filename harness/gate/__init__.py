"""The regression gate: has the new checkpoint lost more than a margin? Pass, fail or inconclusive."""
