"""Candidate sources: one way to find items a file, and the estimators behind them."""
