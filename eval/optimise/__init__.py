"""Search for a better ``rerank`` prompt on the tuning questions, and write what was found."""
