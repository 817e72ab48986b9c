"""The fused score: features, weights, training, scoring and the promotion guard; pure code."""
