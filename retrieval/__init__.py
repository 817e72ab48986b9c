"""What can be found: vocabulary, sources, stores, candidate sources and the fused score."""
