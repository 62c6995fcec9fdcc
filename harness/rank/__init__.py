"""Three or more contestants in one order: runs of pairs into a ranking, and the round robin that makes such runs."""
