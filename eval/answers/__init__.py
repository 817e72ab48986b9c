"""Answers of a model as evaluation uses them: recorded, replayed, counted, kept in a budget."""
