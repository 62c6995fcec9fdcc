"""Recipes of kind encoder: classification heads on a pretrained encoder, trained with transformers' Trainer."""
