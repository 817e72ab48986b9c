"""Where things are kept: the SQL catalogue, event log and profiles, and the vector index."""
