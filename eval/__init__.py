"""How good it is: data sets, splits, metrics, baselines, runs."""
