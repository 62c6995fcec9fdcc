"""Perplexity suites: how well a checkpoint foresees given texts, token by token."""
