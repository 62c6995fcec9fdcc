"""Asking again: reruns with new seeds, a replay from records and cache, the same judge about the same prompts."""
