"""Classification tasks: items with labels from files or the hub, split and checked. Knows no model."""
