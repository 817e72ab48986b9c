"""What every candidate source promises, asked of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.candidates.behaviour import BehaviourSource
from retrieval.candidates.bpr import Bpr
from retrieval.candidates.cold_start import ColdStart
from retrieval.candidates.content import Content
from retrieval.candidates.dense import DenseSource
from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.graph import GraphFilter
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.lexical import LexicalSource
from retrieval.candidates.markov import Markov
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.popular import PopularSource
from retrieval.candidates.session_knn import SessionKnn
from retrieval.ports import CandidateSource, VectorIndex
from retrieval.store.chroma_index import ChromaIndex
from retrieval.types import Interaction, Query, ScoredItem

START = datetime(2024, 1, 1, tzinfo=UTC)
PLAIN = [f"item {at:02d}" for at in range(12)]
ODD = ["a/b", "c d", "🍷", "红酒", "'; DROP TABLE items; --", "\u202eevil", "x" * 1000, "0", "None"]
QUERY = Query(text="red wine 红酒", user_id="u1")


class ExactIndex:
    """The VectorIndex port by brute force."""

    def __init__(self, vectors: dict[str, NDArray[np.float32]]) -> None:
        self._vectors = vectors

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: frozenset[str] | None = None
    ) -> list[ScoredItem]:
        found = [
            ScoredItem(item, float(vector @ other))
            for item, other in self._vectors.items()
            if allowed is None or item in allowed
        ]
        return sorted(found, key=lambda one: -one.score)[:k]

    def vectors(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return {item: self._vectors[item] for item in ids if item in self._vectors}

    def upsert(self, *_: object) -> None:
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        raise NotImplementedError

    def delete(self, ids: Sequence[str]) -> None:
        raise NotImplementedError

    def count(self) -> int:
        return len(self._vectors)


def matrix(items: Sequence[str]) -> InteractionMatrix:
    """Eight users; u1 touched only the first item, so most of the catalogue is open to them."""
    events = [
        Interaction(f"u{user}", item, "purchase", 1.0, START + timedelta(days=user + at))
        for user in range(1, 9)
        for at, item in enumerate(items)
        if (user == 1 and at == 0) or (user > 1 and (at == 0 or (user + at) % 3 != 0))
    ]
    return InteractionMatrix.from_interactions(events, item_ids=items)


def lexical(items: Sequence[str]) -> LexicalSource:
    return LexicalSource(
        {item: "red " * (1 + at % 4) + "wine 红酒 " + item for at, item in enumerate(items)}
    )


def vectors_of(items: Sequence[str]) -> NDArray[np.float32]:
    vectors = np.random.default_rng(0).normal(size=(len(items), 8))
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
        np.float32
    )
    return unit


def dense(index: VectorIndex) -> DenseSource:
    wanted = np.ones(8, dtype=np.float32)
    return DenseSource("query", index, lambda query: wanted if query.text else None)


def history(
    name: str, estimator: Callable[[Sequence[str]], Estimator]
) -> Callable[[Sequence[str]], CandidateSource]:
    def make(items: Sequence[str]) -> CandidateSource:
        events = matrix(items)
        return BehaviourSource(events, estimator(items).fit(events), name)

    return make


Make = Callable[[Sequence[str]], CandidateSource]
FROM_HISTORY: dict[str, Make] = {
    "behaviour": history("behaviour", lambda items: Ease()),
    "item_knn": history("item_knn", lambda items: ItemKnn()),
    "ials": history("ials", lambda items: Ials(factors=4)),
    "bpr": history("bpr", lambda items: Bpr(factors=4, iterations=5)),
    "graph": history("graph", lambda items: GraphFilter(rank=3)),
    "markov": history("markov", lambda items: Markov()),
    "session_knn": history("session_knn", lambda items: SessionKnn()),
    "content": history("content", lambda items: Content(vectors_of(items))),
    "cold_start": history(
        "cold_start",
        lambda items: ColdStart(ItemFeatures(vectors_of(items)), ials=Ials(factors=4)),
    ),
    "picture": history("picture", lambda items: Content(vectors_of(items), half_life=5)),
}
SOURCES: dict[str, Make] = {
    **FROM_HISTORY,
    "popular": lambda items: PopularSource(matrix(items)),
    "lexical": lexical,
    "dense": lambda items: dense(ExactIndex(dict(zip(items, vectors_of(items), strict=True)))),
}
CHROMA = "dense in chroma"
NAMES = {"dense": "query", CHROMA: "query"}
SILENT_FOR_STRANGERS = set(FROM_HISTORY)
SILENT_WITHOUT_TEXT = {"lexical", "dense", CHROMA}


@pytest.fixture(params=[*SOURCES, CHROMA])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(kind: str, tmp_path: Path) -> Iterator[Make]:
    if kind != CHROMA:
        yield SOURCES[kind]
        return
    with ExitStack() as opened:

        def dense_in_chroma(items: Sequence[str]) -> DenseSource:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            index = ChromaIndex(folder, collection="items", embedder_id="test", dimension=8)
            opened.callback(index.close)
            index.upsert(items, vectors_of(items), items, items)
            return dense(index)

        yield dense_in_chroma


@pytest.fixture
def source(make: Make) -> CandidateSource:
    return make(PLAIN)


def ids(found: Sequence[ScoredItem]) -> list[str]:
    return [one.item_id for one in found]


def test_it_has_the_name_that_stands_in_parts(kind: str, source: CandidateSource) -> None:
    assert source.name == NAMES.get(kind, kind)


def test_it_finds_something_to_test_with(source: CandidateSource) -> None:
    assert len(source.candidates(QUERY, 50, None, frozenset())) >= 10


def test_candidates_are_known_distinct_finite_and_best_first(source: CandidateSource) -> None:
    found = source.candidates(QUERY, 50, None, frozenset())
    assert set(ids(found)) <= set(PLAIN)
    assert len(set(ids(found))) == len(found)
    assert all(math.isfinite(one.score) for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("k", [0, 1, 3, 10_000])
def test_it_never_gives_more_than_k(source: CandidateSource, k: int) -> None:
    everything = source.candidates(QUERY, 50, None, frozenset())
    assert source.candidates(QUERY, k, None, frozenset()) == everything[:k]


def test_filters_come_before_the_cut(source: CandidateSource) -> None:
    everything = ids(source.candidates(QUERY, 50, None, frozenset()))
    worst = frozenset(everything[-3:])
    assert ids(source.candidates(QUERY, 3, worst, frozenset())) == everything[-3:]
    best = frozenset(everything[:4])
    assert ids(source.candidates(QUERY, 3, None, best)) == everything[4:7]
    assert ids(source.candidates(QUERY, 3, worst, worst)) == []
    assert ids(source.candidates(QUERY, 50, worst, frozenset(everything[-1:]))) == everything[-3:-1]


def test_nothing_allowed_gives_nothing(source: CandidateSource) -> None:
    assert source.candidates(QUERY, 5, frozenset(), frozenset()) == []


def test_unknown_ids_in_filters_are_harmless(source: CandidateSource) -> None:
    everything = source.candidates(QUERY, 50, None, frozenset())
    strange = frozenset({"never heard of"})
    assert source.candidates(QUERY, 50, None, strange) == everything
    assert source.candidates(QUERY, 50, strange, frozenset()) == []


def test_the_same_question_gets_the_same_answer(make: Make, source: CandidateSource) -> None:
    first = source.candidates(QUERY, 50, None, frozenset())
    assert source.candidates(QUERY, 50, None, frozenset()) == first
    assert make(PLAIN).candidates(QUERY, 50, None, frozenset()) == first


def test_scores_agree_with_candidates(source: CandidateSource) -> None:
    found = source.candidates(QUERY, 50, None, frozenset())
    scores = source.scores(QUERY, [*ids(found), "never heard of"])
    assert "never heard of" not in scores
    for one in found:
        assert scores[one.item_id] == pytest.approx(one.score, abs=1e-6)


def test_scores_of_no_item_are_none(source: CandidateSource) -> None:
    assert source.scores(QUERY, []) == {}


def test_an_empty_catalogue_is_no_error(make: Make) -> None:
    empty = make([])
    assert empty.candidates(QUERY, 5, None, frozenset()) == []
    assert empty.candidates(QUERY, 5, frozenset({"a"}), frozenset({"b"})) == []
    assert empty.scores(QUERY, ["a"]) == {}


@pytest.mark.parametrize("user", [None, "never heard of"])
def test_a_stranger_gets_an_answer_or_silence(
    kind: str, source: CandidateSource, user: str | None
) -> None:
    query = Query(text=QUERY.text, user_id=user)
    found = source.candidates(query, 5, None, frozenset())
    assert len(found) == (0 if kind in SILENT_FOR_STRANGERS else 5)
    assert bool(source.scores(query, PLAIN)) == (kind not in SILENT_FOR_STRANGERS)


def test_a_request_without_text_gets_an_answer_or_silence(
    kind: str, source: CandidateSource
) -> None:
    found = source.candidates(Query(user_id="u1"), 5, None, frozenset())
    assert len(found) == (0 if kind in SILENT_WITHOUT_TEXT else 5)


def test_ids_with_odd_characters_pass_through_whole(make: Make) -> None:
    odd = make(ODD)
    found = ids(odd.candidates(QUERY, 50, None, frozenset({"a/b"})))
    assert set(found) <= set(ODD) - {"a/b"}
    assert len(found) >= len(ODD) - 2
    assert set(odd.scores(QUERY, ODD)) == set(ODD)


def test_a_catalogue_of_one_item_is_no_error(make: Make) -> None:
    one = make(["only"])
    assert set(ids(one.candidates(QUERY, 5, None, frozenset()))) <= {"only"}
    assert one.candidates(QUERY, 5, None, frozenset({"only"})) == []
