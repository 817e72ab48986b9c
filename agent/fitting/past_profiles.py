"""Profiles as they stood at an instant, as vectors in memory: what a fit may measure.

The stored profiles may have read what came after the cut, and a source that saw the answers
looks better than it is. Here the rows are reduced again from what was extracted of the
evidence that existed by then. No model is asked and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import numpy as np

from agent.profiles.embed import index_text
from agent.profiles.reduce import ExtractedRow, reduce_rows
from agent.profiles.subjects import Material, Materials
from agent.profiles.template import template_sentences
from agent.profiles.writer import keep_strongest
from prompts.library import PromptLibrary
from retrieval.ports import Catalog, Embedder, EventLog, ProfileStore, Progress, Vectors
from retrieval.types import Profile, Subject

_BATCH = 128


@dataclass(frozen=True, eq=False)
class PastProfiles:
    """Profile vectors of then, of norm 1.

    Attributes:
        items: float32 (items, d); 0 for an item without title and profile.
        users: float32 (users, d); 0 for a user of whom nothing was known.
        texts: pieces of text by then that a model reads, once for each profile they are for.
        texts_read: how many of them the cache holds; the others say nothing here.
    """

    items: Vectors
    users: Vectors
    texts: int
    texts_read: int


def past_profiles(
    *,
    catalog: Catalog,
    event_log: EventLog,
    profiles: ProfileStore,
    embedder: Embedder,
    prompts: PromptLibrary,
    model_id: str | None,
    as_of: datetime,
    item_ids: Sequence[str],
    user_ids: Sequence[str],
    progress: Progress,
    tau_days: float = 730.0,
    max_rows: int = 24,
    max_texts: int = 100,
) -> PastProfiles:
    """What ``build_profiles(as_of=...)`` would index, were it to read nothing anew.

    Texts come from the template, whoever wrote the stored ones. The catalogue has no dates:
    attributes and titles are those of now.

    Args:
        catalog: titles and attributes.
        event_log: evidence and interactions.
        profiles: gives the extraction cache; nothing else of it is read.
        embedder: the one that the served vectors are of.
        prompts: those that the texts were read with.
        model_id: whose extractions are used, see ``reader_of``; ``None`` makes profiles of
            attributes and choices only.
        as_of: nothing newer is looked at.
        item_ids: one row each; an unknown one has no profile.
        user_ids: one row each; they need not be in the catalogue.
        progress: hears of every profile.
        tau_days: as the profiles were built.
        max_rows: as the profiles were built.
        max_texts: as the profiles were built.
    """
    materials = Materials(
        catalog,
        event_log,
        model_id=model_id,
        prompts=prompts,
        as_of=as_of,
        max_texts=max_texts,
    )
    past = _Past(materials, profiles, embedder, progress, tau_days, max_rows)
    items, users = past.vectors("item", item_ids), past.vectors("user", user_ids)
    return PastProfiles(items, users, past.texts, past.texts_read)


@dataclass
class _Past:
    materials: Materials
    profiles: ProfileStore
    embedder: Embedder
    progress: Progress
    tau_days: float
    max_rows: int
    texts: int = field(default=0, init=False)
    texts_read: int = field(default=0, init=False)

    def vectors(self, subject: Subject, ids: Sequence[str]) -> Vectors:
        """Shape (ids, d), in their order."""
        self.progress.start(f"{subject} profiles as of the cut", len(ids))
        table = np.zeros((len(ids), self.embedder.dimension), dtype=np.float32)
        rows = iter(enumerate(ids))
        while batch := list(islice(rows, _BATCH)):
            said = self._texts(self.materials.of(subject, one) for _, one in batch)
            full = [(row, text) for (row, _), text in zip(batch, said, strict=True) if text]
            if full:
                table[[row for row, _ in full]] = self.embedder.embed([text for _, text in full])
            self.progress.advance(len(batch))
        return table

    def _texts(self, materials: Iterable[Material]) -> list[str]:
        """What is embedded, one each; "" where there is nothing to say."""
        some = list(materials)
        keys = [key for material in some for key in material.keys]
        outputs = self.profiles.cached_extraction(keys)
        self.texts += len(keys)
        self.texts_read += sum(key in outputs for key in keys)
        return [
            index_text(material.title, self._profile(material, material.rows(outputs)))
            for material in some
        ]

    def _profile(self, material: Material, extracted: Iterable[ExtractedRow]) -> Profile:
        rows = keep_strongest(
            reduce_rows(
                extracted,
                as_of=material.as_of,
                tau_days=self.tau_days,
                subject=f"{material.subject}:{material.subject_id}",
            ),
            self.max_rows,
        )
        return Profile(
            subject=material.subject,
            subject_id=material.subject_id,
            rows=rows,
            sentences=template_sentences(material.subject, rows, material.lang),
            as_of=material.as_of,
            version="",  # It is never stored.
        )
