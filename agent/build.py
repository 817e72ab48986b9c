"""The composition root: settings in, a working recommender out."""

from __future__ import annotations

from agent.stores import Stores, open_stores

__all__ = ["Stores", "open_stores"]
