"""LLMRank's Games-6k: histories, titles and a published list of candidates a person.

Its protocol differs from ours: twenty candidates with the positive among them, not the full
catalogue. It is here because its numbers are published (Hou et al., ECIR 2024, table 2), and
a re-ranker can be compared with them.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from agent.cards import history_text, item_card, source_bins
from eval.pools import PUBLISHED, QuestionSet
from eval.question import PoolItem, Question
from retrieval.candidates.behaviour import BehaviourSource
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.popular import PopularSource
from retrieval.errors import InvalidInput, NotFound
from retrieval.fusion.features import pool_features
from retrieval.fusion.score import fuse
from retrieval.fusion.train import LabelledPool, train_weights
from retrieval.fusion.weights import FusionWeights
from retrieval.ports import Progress
from retrieval.types import Candidate, Interaction, Item, Query

_START = datetime(2000, 1, 1, tzinfo=UTC)
_SOURCES = ("behaviour", "popular")
_FIT_PEOPLE = 1500
"""People that S is weighed on; none of them is asked about."""


def games_questions(
    folder: Path, *, candidates: int, limit: int | None, period: str, seed: int, progress: Progress
) -> QuestionSet:
    """One question for each of a seeded sample of the 6,000 people.

    The candidates are the first ``candidates - 1`` of the published list that are not the
    positive, and the positive. S mixes popularity and item-item cosine of all histories
    without the positives, weighed on people who are not asked about. The two periods are
    two halves of the people: one tunes, the other tests.

    Raises:
        NotFound: a file is missing.
        InvalidInput: a file is not what was published.
    """
    items = folder / "Games-6k.item.gz"
    titles = dict(published_rows(items, 2))
    wrong = next((one for one in titles if not one.isdecimal()), None if titles else "")
    if wrong is not None:
        raise InvalidInput(
            f"{items} has {'the item id ' + repr(wrong) if wrong else 'no item'}",
            "take the file as published: ids are numbers",
        )
    lists = {
        user: ids.split()
        for user, ids in published_rows(folder / "Games-6k.random.gz", 2, head=False)
    }
    progress.start("reading histories", None)
    histories: dict[str, list[str]] = {}
    positives: dict[str, str] = {}
    for user, history, positive in published_rows(folder / "Games-6k.test.inter.gz", 3):
        histories[user] = history.split()
        positives[user] = positive
    people = np.random.default_rng(seed).permutation(sorted(set(lists) & set(positives)))
    half = len(people) // 2
    ours, others = (
        (people[:half], people[half:]) if period == "tune" else (people[half:], people[:half])
    )
    asked = [str(user) for user in ours[:limit]]
    if not asked:
        raise InvalidInput(f"{folder} has candidates for nobody", "take the files as published")
    progress.start("fitting sources on histories", None)
    events = [
        Interaction(user, item, "purchase", 1.0, _START + timedelta(days=at))
        for user, history in histories.items()
        for at, item in enumerate(history)
    ]
    matrix = InteractionMatrix.from_interactions(events, item_ids=sorted(titles, key=int))
    sources = (
        BehaviourSource(matrix, ItemKnn().fit(matrix)),
        PopularSource(matrix, half_life_days=None),
    )

    def pool(user: str) -> list[Candidate]:
        ids = [one for one in lists[user] if one != positives[user]][: candidates - 1]
        ids = sorted({*ids, positives[user]})
        scores = {source.name: source.scores(Query(user_id=user), ids) for source in sources}
        return [
            Candidate(one, {name: got[one] for name, got in scores.items() if one in got})
            for one in ids
        ]

    progress.start("weighing sources", None)
    weights = _weights([(pool(str(u)), positives[str(u)]) for u in others[:_FIT_PEOPLE]])
    counts = np.bincount(matrix.values.indices, minlength=len(titles))
    head = np.quantile(counts, 0.8)
    progress.start("asking the sources", len(asked))
    questions = []
    for user in asked:
        found = pool(user)
        bins = source_bins(found)
        said = {one.item_id: one.scores_by_source for one in found}
        names = [titles.get(item, item) for item in reversed(histories[user])]
        positive = positives[user]
        popularity = counts[matrix.item_index[positive]] if positive in matrix.item_index else 0
        questions.append(
            Question(
                query_id=user,
                user_id=user,
                lang="en",
                query_text="",
                person_text=history_text(names, "en"),
                candidates=tuple(
                    PoolItem(
                        one.item_id,
                        one.score,
                        one.parts,
                        item_card(Item(one.item_id, titles.get(one.item_id, one.item_id)), ()),
                        bins[one.item_id],
                        said[one.item_id],
                    )
                    for one in fuse(found, weights, has_query=False)
                ),
                relevant=frozenset({positive}),
                strata={
                    "user": "cold" if len(histories[user]) < 6 else "warm",
                    "item": "head" if popularity > head else "tail",
                },
            )
        )
        progress.advance()
    left_out = {"over the limit": len(ours) - len(asked)} if len(asked) < len(ours) else {}
    return QuestionSet(tuple(questions), len(titles), (), left_out, weights.note, split=PUBLISHED)


def _weights(labelled: Sequence[tuple[list[Candidate], str]]) -> FusionWeights:
    pools = []
    for found, positive in labelled:
        features = pool_features(found, _SOURCES)
        pools.append(LabelledPool(features.z, (features.item_ids.index(positive),)))
    w = train_weights(pools, np.array([1.0, 0.0]))
    shares = {name: float(one / w.sum()) for name, one in zip(_SOURCES, w, strict=True)}
    note = f"learned on {len(pools)} people who are not asked about"
    return FusionWeights(shares, shares, kind="learned", n_labelled=len(pools), note=note)


def published_rows(path: Path, columns: int, *, head: bool = True) -> Iterator[list[str]]:
    """Tab-separated rows of a packed file; the published ones have a heading, or not."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if number == 1 and head:
                    continue
                row = line.rstrip("\n").split("\t")
                if len(row) != columns:
                    raise InvalidInput(
                        f"{path}, line {number}: {len(row)} columns, {columns} expected",
                        "take the file as published",
                    )
                yield row
    except FileNotFoundError:
        raise NotFound(f"there is no {path}", "data.path is the folder of Games-6k") from None
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InvalidInput(
            f"{path} cannot be read: {error}", "take the file as published"
        ) from None
