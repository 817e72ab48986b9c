"""The ``lexical`` source: BM25 over titles, attributes and profile texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import bm25s
import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.select import best_items
from retrieval.candidates.tokens import index_terms, query_terms
from retrieval.types import AttributeValue, Item, Query, ScoredItem

_REMEMBERED_QUERIES = 64


def document(item: Item, profile_text: str = "") -> str:
    """What the index knows of an item: title, attribute values, profile text.

    A true attribute counts by its name, a false one not at all.
    """
    values = [_as_text(name, value) for name, value in item.attributes.items()]
    return "\n".join(part for part in (item.title, *values, profile_text) if part)


class LexicalSource:
    """Finds the words of the request in the documents.

    Silent without request text. An item that shares no word with the request is no
    candidate; its 0 counts when the pool is completed.

    Args:
        documents: text by item id; the index is built on construction.
    """

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._item_ids = tuple(sorted(documents))
        self._columns = {item_id: at for at, item_id in enumerate(self._item_ids)}
        terms = [index_terms(documents[item_id]) for item_id in self._item_ids]
        self._index: bm25s.BM25 | None = None
        if any(terms):
            self._index = bm25s.BM25()
            self._index.index(terms, show_progress=False)
        # One request asks twice: for candidates, then to complete the pool.
        self._scores_of = lru_cache(maxsize=_REMEMBERED_QUERIES)(self._score)

    @property
    def name(self) -> str:
        """``lexical``."""
        return "lexical"

    def candidates(
        self,
        query: Query,
        k: int,
        allowed: frozenset[str] | None,
        excluded: frozenset[str],
    ) -> list[ScoredItem]:
        """The best matches; see the port."""
        scores = self._scores_of(query.text)
        if scores is None:
            return []
        return best_items(
            scores,
            self._item_ids,
            self._columns,
            k,
            allowed=allowed,
            excluded=excluded,
            eligible=scores > 0,
        )

    def scores(self, query: Query, item_ids: Sequence[str]) -> dict[str, float]:
        """BM25 of the known items; empty when no word of the request is in the index."""
        scores = self._scores_of(query.text)
        if scores is None:
            return {}
        return {
            item_id: float(scores[at])
            for item_id in item_ids
            if (at := self._columns.get(item_id, -1)) >= 0
        }

    def _score(self, text: str) -> NDArray[np.float32] | None:
        """Shape (items,), >= 0; ``None`` when the request says nothing to this index."""
        if self._index is None:
            return None
        known = self._index.get_tokens_ids(query_terms(text))
        if not known:
            return None
        scores: NDArray[np.float32] = self._index.get_scores_from_ids(known)
        return scores


def _as_text(name: str, value: AttributeValue) -> str:
    if isinstance(value, bool):
        return name if value else ""
    if isinstance(value, tuple):
        return ", ".join(value)
    return value if isinstance(value, str) else f"{value:g}"
