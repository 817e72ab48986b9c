"""Profiles: evidence to rows (extract, reduce), rows to checked sentences (write)."""
