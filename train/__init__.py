"""Turns a recipe and data into a checkpoint that can prove what it is."""
