"""The scripted model: rules first, then a reader that quotes exactly."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.lexicon import extraction_lines
from agent.ports import Message
from agent.scripted import RUBBISH, ScriptedModel, data_blocks, overlap_log_odds
from retrieval.errors import ContextOverflow, ModelOutputError, ModelTimeout, ModelUnavailable


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def marked(*texts: str) -> str:
    return "\n".join(f"<data k{i}>\n{text}\n</data k{i}>" for i, text in enumerate(texts))


REVIEW = "I love the warm sound, but the strings broke. 音质很好,价格太贵。Not worth the money."


def test_a_review_becomes_lines_with_exact_quotes() -> None:
    answer = ScriptedModel().generate([user(f"Text:\n{marked(REVIEW)}")], max_tokens=200)[0]
    rows = [line.split(" | ") for line in answer.text.splitlines()]
    assert [row[1] for row in rows] == ["like", "dislike", "like", "price"]
    assert all(row[2] in REVIEW for row in rows)


@given(st.text(max_size=300))
def test_quotes_occur_in_any_text_and_there_are_at_most_four(text: str) -> None:
    lines = extraction_lines(text)
    assert len(lines) <= 4
    for line in lines:
        aspect, polarity, quote = line.split(" | ")
        assert aspect
        assert polarity in {"like", "dislike", "need", "price", "context"}
        assert quote in text


def test_a_negation_turns_the_polarity() -> None:
    assert extraction_lines("The handle is not good")[0].startswith("handle | dislike")
    assert extraction_lines("The fan is never noisy")[0].startswith("fan | like")
    assert extraction_lines("不喜欢这个味道")[0].startswith("味道 | dislike")


def test_a_rule_comes_before_the_reader() -> None:
    model = ScriptedModel([("kettle", "lid | like | nice lid")])
    assert model.generate([user("a kettle")], max_tokens=20)[0].text == "lid | like | nice lid"


def test_a_conversation_with_prose_shots_gets_prose_with_its_row_marks() -> None:
    turns: list[Message] = [
        {"role": "user", "content": "rows"},
        {"role": "assistant", "content": "They like it. [1]"},
        {"role": "user", "content": marked("[1] likes sound: warm\n[2] price: a bargain.")},
    ]
    answer = ScriptedModel().generate([turns], max_tokens=50)[0]
    assert answer.text == "Likes sound: warm. [1]\nPrice: a bargain. [2]"


def test_an_item_that_shares_words_with_the_profile_is_likelier() -> None:
    profile = "Likes warm sound and solid wood.\nDislikes plastic."
    prompts = [
        user(marked(profile, card))
        for card in ("warm sound, solid wood", "a green mug", "plastic toy")
    ]
    scores = ScriptedModel().label_logprobs(prompts, ["yes", "no"])
    odds = [row["yes"] - row["no"] for row in scores.logprobs if row]
    assert odds[0] > odds[1] > odds[2]
    assert all(value <= 0 for row in scores.logprobs if row for value in row.values())


def test_without_two_blocks_the_odds_are_even() -> None:
    assert overlap_log_odds(["only one"]) == 0.0
    assert overlap_log_odds([]) == 0.0


def test_chinese_words_count_too() -> None:
    assert overlap_log_odds(["喜欢温暖的音色", "温暖的音色"]) > overlap_log_odds(
        ["喜欢红酒", "绿茶"]
    )


def test_only_blocks_whose_marks_agree_are_data() -> None:
    text = "<data a>\nx </data b> y\n</data a> <data c>\nz\n</data c>"
    assert data_blocks(text) == ["x </data b> y", "z"]


def test_the_same_question_gets_the_same_answer() -> None:
    ask = [user(marked(REVIEW))]
    assert ScriptedModel().generate(ask, max_tokens=99) == ScriptedModel().generate(
        ask, max_tokens=99
    )


def test_failures_are_those_of_the_port() -> None:
    model = ScriptedModel(fail="timeout")
    with pytest.raises(ModelTimeout):
        model.generate([user("a")], max_tokens=5)
    model.fail = "unavailable"
    with pytest.raises(ModelUnavailable):
        model.label_logprobs([user("a")], ["yes", "no"])
    model.fail = "rubbish"
    assert model.generate([user("a")], max_tokens=50)[0].text == RUBBISH
    assert model.label_logprobs([user("a")], ["yes", "no"]).logprobs == (None,)
    model.fail = ""
    assert model.calls == 4


def test_it_dies_after_so_many_answers_and_stays_dead() -> None:
    model = ScriptedModel(die_after=2)
    told: list[int] = []
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="died after 2"):
            model.generate(
                [user("a"), user("b"), user("c")],
                max_tokens=5,
                done=lambda i, _: told.append(i),
            )
    assert told == [0, 1]


def test_a_deadline_shorter_than_the_delay_is_a_timeout() -> None:
    began = time.monotonic()
    with pytest.raises(ModelTimeout):
        ScriptedModel(delay=5).generate([user("a")], max_tokens=5, deadline=0.05)
    assert time.monotonic() - began < 1


def test_a_prompt_beyond_the_window_is_an_overflow() -> None:
    with pytest.raises(ContextOverflow, match="exceed the window of 512"):
        ScriptedModel(context_tokens=512).generate([user("word " * 2000)], max_tokens=5)


def test_stop_and_length_end_an_answer() -> None:
    model = ScriptedModel([("a", "one\ntwo\nthree")])
    assert model.generate([user("a")], max_tokens=50, stop=["\ntwo"])[0].text == "one"
    cut = model.generate([user("a")], max_tokens=1)[0]
    assert (cut.text, cut.finish, cut.completion_tokens) == ("one\n", "length", 1)


def test_it_sees_only_when_told_so_and_only_what_a_rule_knows() -> None:
    with pytest.raises(ModelUnavailable, match="cannot see"):
        ScriptedModel().describe_image(Path("mug.png"), "what?", max_tokens=9)
    model = ScriptedModel([("mug", "A red mug.")], vision=True)
    assert model.describe_image(Path("mug.png"), "what?", max_tokens=9).text == "A red mug."
    with pytest.raises(ModelOutputError, match=r"cup\.png"):
        model.describe_image(Path("cup.png"), "what?", max_tokens=9)
