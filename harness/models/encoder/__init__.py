"""Encoders with classification heads: how a checkpoint of kind encoder is built, kept in a folder, and asked."""
