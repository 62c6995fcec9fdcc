"""`harness plan`: how many prompts a question takes, what they cost, and what a suite can show. Asks nobody."""
