"""Audits of judges: what a judge does when a response is moved, padded, damaged, shown again, or speaks to it."""
