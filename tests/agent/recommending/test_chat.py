"""A chat turn: the last user message is the query."""

import pytest

from agent.chat import reply
from agent.recommend import Recommender
from agent.scripted import ScriptedModel
from agent.settings import Settings
from retrieval.errors import InvalidInput, NotFound
from tests.agent.recommending.conftest import Build


def say(*texts: str) -> list[dict[str, object]]:
    roles = ["user", "assistant"]
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]


def test_the_answer_is_a_numbered_list_with_prices_and_quotes(recommender: Recommender) -> None:
    text, answer = reply(recommender, say("a quiet kettle, not plastic, under $50"), "ann")
    lines = text.split("\n")
    assert lines[0] == "Here is what fits best:"
    assert lines[1] == "1. Steel kettle (price 45)"
    assert '"hardly any noise"' in text
    assert answer.recommendations[0].item_id == "k1"
    assert len(answer.recommendations) <= 5


def test_a_chinese_wish_gets_a_chinese_answer(recommender: Recommender) -> None:
    text, _ = reply(recommender, say("清新的茉莉花茶，20元以下"))
    assert text.startswith("最合适的是：\n1. 茉莉花茶（价格 18）")


def test_only_the_last_user_message_counts_and_short_follow_ups_do_not_crash(
    recommender: Recommender,
) -> None:
    text, answer = reply(recommender, say("a kettle", "Here is …", "tea"))
    assert answer.recommendations[0].item_id.startswith("t")
    for short in ("?", "ok", "cheaper", "更便宜的", "…", "1", "👍"):
        text, _ = reply(recommender, say("a kettle", "Here is …", short), "ann")
        assert text


def test_text_parts_are_joined_and_markup_is_cleaned(recommender: Recommender) -> None:
    parts = [
        {"type": "text", "text": "<b>black</b>"},
        {"type": "image_url"},
        {"type": "text", "text": "tea"},
    ]
    _, answer = reply(recommender, [{"role": "user", "content": parts}])
    assert answer.recommendations[0].item_id == "t3"


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "no user message"),
        ([{"role": "system", "content": "be nice"}], "no user message"),
        ([{"role": "user", "content": "   \u200b "}], "is empty"),
        ([{"role": "user", "content": None}], "is not text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "is empty"),
        ([{"role": "user", "content": "x" * 5000}], "has 5000 characters"),
    ],
)
def test_a_turn_without_a_wish_is_bad_input(
    recommender: Recommender, messages: list[dict[str, object]], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        reply(recommender, messages)


def test_nothing_left_says_why(recommender: Recommender) -> None:
    text, answer = reply(recommender, say("a kettle under $1"))
    assert answer.recommendations == ()
    assert text.startswith("Nothing fits: ")
    assert "price < 1" in text


def test_a_reply_without_the_model_says_so(filled: Settings, build: Build) -> None:
    text, _ = reply(build(filled, ScriptedModel(fail="timeout")), say("tea"))
    assert text.endswith(
        "(Ranked without the language model: the language model did not answer within 5 s.)"
    )


def test_an_unknown_user_is_not_found(recommender: Recommender) -> None:
    with pytest.raises(NotFound):
        reply(recommender, say("tea"), "nobody")
