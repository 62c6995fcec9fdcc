"""How a verdict is asked for and read: pure, no network, no torch, no files but templates."""
