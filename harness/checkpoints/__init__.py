"""What is done with checkpoints that exist: list, show, verify, prune, merge, export."""
