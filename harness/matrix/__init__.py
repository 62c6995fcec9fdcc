"""Matrices of experiments (`kind: matrix`): models × tasks × modes, each cell a classify run, and what they come to."""
