"""How alike items are, and what a list does about it."""
