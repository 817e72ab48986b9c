from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pytest

from retrieval.candidates.dense import DenseSource
from retrieval.candidates.lexical import LexicalSource, document
from retrieval.candidates.tokens import index_terms, query_terms
from retrieval.types import Item, Query, ScoredItem


def found(documents: Mapping[str, str], text: str) -> list[str]:
    source = LexicalSource(documents)
    return [one.item_id for one in source.candidates(Query(text=text), 10, None, frozenset())]


def test_english_words_meet_in_any_form_case_width_and_accent() -> None:
    documents = {"a": "Running shoes from Serra Gaúcha", "b": "walking boots"}
    for text in ["run", "RUNS", "shoe", "gaucha", "ＲＵＮＮＩＮＧ"]:
        assert found(documents, text) == ["a"], text


def test_chinese_is_cut_into_words_and_long_words_also_into_their_parts() -> None:
    documents = {"a": "这是一本非常有趣的科幻小说", "b": "一把适合新手的吉他", "c": "a novel"}
    assert found(documents, "小说") == ["a"]
    assert found(documents, "推荐一本科幻书") == ["a"]
    assert found(documents, "有没有新手吉他？") == ["b"]


def test_a_mixed_request_finds_both_languages() -> None:
    documents = {"a": "木吉他 acoustic", "b": "electric guitar", "c": "piano"}
    assert set(found(documents, "我想要 guitar 或者 吉他")) == {"a", "b"}


def test_rarer_words_and_more_matches_come_first() -> None:
    documents = {"a": "red wine", "b": "red wine malbec", "c": "red car", "d": "blue car"}
    assert found(documents, "red malbec wine") == ["b", "a", "c"]


def test_words_of_asking_do_not_decide_unless_there_are_no_others() -> None:
    assert query_terms("please recommend me something for the beach") == ["beach"]
    assert query_terms("请给我推荐一款红酒") == ["红酒"]
    assert query_terms("The Who") == ["the", "who"]


def test_numbers_and_names_with_digits_stay_whole() -> None:
    assert index_terms("SM57, 12.5% and 750ml") == ["sm57", "12.5", "and", "750ml"]


@pytest.mark.parametrize("text", ["", "   ", "!?%$", "🍷🍷", "\x00", "\u200b", "zzzqqq"])
def test_a_request_without_a_known_word_is_silence(text: str) -> None:
    source = LexicalSource({"a": "red wine"})
    assert source.candidates(Query(text=text), 5, None, frozenset()) == []
    assert source.scores(Query(text=text), ["a"]) == {}


@pytest.mark.parametrize("documents", [{}, {"a": ""}, {"a": "", "b": "!!!"}])
def test_documents_without_words_are_no_error(documents: dict[str, str]) -> None:
    source = LexicalSource(documents)
    assert source.candidates(Query(text="wine"), 5, None, frozenset()) == []
    assert source.scores(Query(text="wine"), list(documents)) == {}


def test_items_without_a_match_are_no_candidates_but_score_zero() -> None:
    source = LexicalSource({"a": "red wine", "b": "white wine", "c": ""})
    query = Query(text="red")
    assert [one.item_id for one in source.candidates(query, 5, None, frozenset())] == ["a"]
    scores = source.scores(query, ["a", "b", "c", "unknown"])
    assert scores.keys() == {"a", "b", "c"}
    assert scores["b"] == scores["c"] == 0.0 < scores["a"]


def test_equal_matches_stand_in_id_order() -> None:
    assert found({"b": "wine", "c": "wine", "a": "wine"}, "wine") == ["a", "b", "c"]


def test_a_document_holds_title_attribute_values_and_profile() -> None:
    item = Item(
        "i",
        "Ancellotta",
        {"grapes": ("Malbec", "Merlot"), "abv": 12.0, "vegan": True, "sparkling": False, "b": "x"},
    )
    assert document(item, "Deep and dry.") == (
        "Ancellotta\nMalbec, Merlot\n12\nvegan\nx\nDeep and dry."
    )
    assert document(Item("i", "")) == ""


def test_loading_the_segmenter_says_nothing_and_leaves_no_shared_cache(tmp_path: object) -> None:
    code = (
        "import os, tempfile\n"
        "from retrieval.language import chinese_words\n"
        "print('/'.join(chinese_words('红酒配牛排')), os.listdir(tempfile.gettempdir()))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
    )
    assert run.stdout == "红酒/配/牛排 []\n"
    assert run.stderr == ""


class NoIndex:
    """A vector index that must not be asked."""

    def search(self, *_: object) -> list[ScoredItem]:
        raise AssertionError("asked")

    def vectors(self, *_: object) -> dict[str, object]:
        raise AssertionError("asked")


@pytest.mark.parametrize("vector", [None, np.zeros(4, dtype=np.float32), np.full(4, np.nan)])
def test_dense_is_silent_without_a_usable_vector(vector: object) -> None:
    source = DenseSource("profile", NoIndex(), lambda _: vector)  # type: ignore[arg-type,return-value]
    assert source.name == "profile"
    assert source.candidates(Query(), 5, None, frozenset()) == []
    assert source.scores(Query(), ["a"]) == {}
