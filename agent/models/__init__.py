"""Model weights and the server that runs them: what exists, fetching, converting, serving."""
