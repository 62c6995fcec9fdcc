"""Benchmarks: side by side in one run, ratios first, the machine named. `make bench` writes BENCHMARKS.md."""
