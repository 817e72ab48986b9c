"""What the rest of Palate needs from stores, embedders and candidate sources.

Each port has one contract suite under ``tests/contracts/`` that every implementation
passes. Implementations raise only errors of ``retrieval.errors``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.types import (
    Constraint,
    Evidence,
    Interaction,
    Item,
    LoggedRequest,
    Profile,
    Query,
    Review,
    ScoredItem,
    Subject,
    User,
)

Vectors = NDArray[np.float32]


class Progress(Protocol):
    """Somebody who watches long work; the CLI draws a bar with an ETA, tests count."""

    def start(self, stage: str, total: int | None) -> None:
        """A stage begins; ``total`` units, or ``None`` when unknown."""

    def advance(self, n: int = 1) -> None:
        """``n`` more units of the current stage are done."""

    def note(self, text: str) -> None:
        """A sentence for the person who waits."""


class Catalog(Protocol):
    """Items and users. Writes are idempotent: the same row again changes nothing."""

    def upsert_items(self, items: Iterable[Item]) -> int:
        """Insert or replace; returns how many rows were new or different."""

    def upsert_users(self, users: Iterable[User]) -> int:
        """Insert or replace; returns how many rows were new or different."""

    def item(self, item_id: str) -> Item:
        """Raises NotFound."""

    def user(self, user_id: str) -> User:
        """Raises NotFound."""

    def items(self, item_ids: Sequence[str] | None = None) -> Iterator[Item]:
        """All items in id order, or the known ones among ``item_ids`` in the order given."""

    def users(self) -> Iterator[User]:
        """All users in id order."""

    def known_users(self, user_ids: Sequence[str]) -> frozenset[str]:
        """Those of the ids that belong to a user."""

    def eligible(self, constraints: Sequence[Constraint]) -> frozenset[str] | None:
        """Ids of the items that satisfy every constraint; ``None`` when there is none."""

    def counts(self) -> Mapping[str, int]:
        """Rows by table name: items, users, interactions, reviews, evidence, profiles."""


class EventLog(Protocol):
    """Interactions, reviews and the evidence derived from everything."""

    def append_interactions(self, interactions: Iterable[Interaction]) -> int:
        """Idempotent by (user, item, kind, at); returns how many were new."""

    def append_reviews(self, reviews: Iterable[Review]) -> int:
        """Idempotent by review_id and content; returns how many were new or different.

        Writes the two evidence rows (about the item, about the author) in the same
        transaction.
        """

    def append_evidence(self, evidence: Iterable[Evidence]) -> int:
        """Idempotent by evidence_id and content; returns how many were new or different."""

    def interactions(
        self, user_id: str | None = None, until: datetime | None = None
    ) -> Iterator[Interaction]:
        """In (at, user, item) order; ``until`` is inclusive."""

    def seen(self, user_id: str) -> frozenset[str]:
        """Items that the user interacted with or reviewed."""

    def reviews(
        self, *, user_id: str | None = None, item_id: str | None = None
    ) -> Iterator[Review]:
        """In (at, review_id) order."""

    def evidence(
        self, subject: Subject, subject_id: str, as_of: datetime | None = None
    ) -> list[Evidence]:
        """Evidence about one subject, oldest first; nothing newer than ``as_of``."""

    def evidence_by_id(self, evidence_ids: Sequence[str]) -> dict[str, Evidence]:
        """The known ones among the ids."""

    def subjects_with_evidence(self, subject: Subject) -> list[str]:
        """Ids that have at least one evidence row, in id order."""


class ProfileStore(Protocol):
    """Profiles and the extraction cache."""

    def put(self, profile: Profile) -> None:
        """Insert or replace the profile of its subject, whole, in one transaction."""

    def get(self, subject: Subject, subject_id: str) -> Profile | None:
        """The stored profile, or ``None``."""

    def profiles(self, subject: Subject) -> Iterator[Profile]:
        """All profiles of one kind in id order."""

    def version(self, subject: Subject, subject_id: str) -> str | None:
        """The stored version without loading the profile."""

    def cached_extraction(self, keys: Sequence[str]) -> dict[str, str]:
        """Raw model output by cache key, the known ones."""

    def cache_extraction(self, outputs: Mapping[str, str]) -> None:
        """Remember raw model outputs; committed on return."""


class RequestLog(Protocol):
    """Requests that were kept for evaluation, until their time is over or somebody objects."""

    def append(self, requests: Iterable[LoggedRequest]) -> int:
        """Idempotent by request_id: a known one stays as it is; returns how many were new."""

    def requests(self, experiment: str | None = None) -> Iterator[LoggedRequest]:
        """In (at, request_id) order; of one experiment, or all (``None``)."""

    def erase(self, user_ids: Sequence[str]) -> int:
        """Forget every request of these users, past recovery; returns how many there were."""

    def prune(self, before: datetime) -> int:
        """Forget every request older than ``before``; returns how many there were."""


class Embedder(Protocol):
    """Text to unit vectors. ``embedder_id`` binds model and revision."""

    @property
    def embedder_id(self) -> str:
        """Stable id; stored beside the vectors and checked."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 of shape (len(texts), dimension), rows of norm 1; shape (0, d) for no text."""


class VectorIndex(Protocol):
    """Profile texts with their vectors."""

    def upsert(
        self,
        ids: Sequence[str],
        vectors: Vectors,
        texts: Sequence[str],
        versions: Sequence[str],
    ) -> None:
        """Insert or update in place."""

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: frozenset[str] | None = None
    ) -> list[ScoredItem]:
        """The ``k`` nearest by cosine (score in [-1, 1]) among ``allowed``, best first."""

    def vectors(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Stored vectors of the known ids."""

    def versions(self) -> dict[str, str]:
        """Version of every stored id."""

    def delete(self, ids: Sequence[str]) -> None:
        """Forget; unknown ids are ignored."""

    def count(self) -> int:
        """How many vectors are stored."""


class CandidateSource(Protocol):
    """One way to find items for a query."""

    @property
    def name(self) -> str:
        """Short name that stands in parts and traces, e.g. ``lexical``."""

    def candidates(
        self,
        query: Query,
        k: int,
        allowed: frozenset[str] | None,
        excluded: frozenset[str],
    ) -> list[ScoredItem]:
        """At most ``k`` items, best first, with finite scores.

        Only from ``allowed`` (``None`` = all) and never from ``excluded``. Empty when
        the source has nothing to say.
        """

    def scores(self, query: Query, item_ids: Sequence[str]) -> dict[str, float]:
        """Scores of given items, for the ones it can score: completes the pool's matrix."""


class Captioner(Protocol):
    """Picture to caption."""

    @property
    def captioner_id(self) -> str:
        """Stable id: binds models and their revisions."""

    @property
    def trust(self) -> float:
        """In [0, 1]."""

    def caption(self, path: Path) -> str:
        """One caption; raises InvalidInput when the file is no usable picture."""


Clock = Callable[[], float]
