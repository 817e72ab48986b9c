"""A prompt run: ask, rank, compare, decide, record."""
