"""Thin blueprints, one file for each part of the HTTP surface."""
