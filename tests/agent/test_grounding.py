"""The validator without a judge model: numbers, names, containment, polarity, both languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.grounding import check_sentence, content_words, stance


@pytest.mark.parametrize(
    ("sentence", "cited", "polarity"),
    [
        ("They like the clear sound.", ["the sound is very clear"], "like"),
        ("Likes how sturdy the metal clamp is.", ["The metal clamp is sturdy enough"], "like"),
        ("The person dislikes the hiss.", ["there is a loud hiss"], "dislike"),
        ("Needs a case for travel.", ["I need a travel case"], "need"),
        ("Owners say the SM58 lasts 20 years.", ["my SM58 has lasted 20 years"], "like"),
        ("Owners say it lasted two years.", ["it lasted 2 years"], None),
        ("喜欢科幻小说。", ["推荐给喜欢科幻小说的朋友"], "like"),
        ("木头没有异味，用户喜欢。", ["木头没有异味"], "like"),
        ("用户不喜欢噪音。", ["噪音太大了"], "dislike"),
        ("用户表示用了三个月。", ["用了3个月就坏了"], None),
        ("It costs 1,000.50 dollars.", ["dollars: 1000.5"], "price"),
    ],
)
def test_a_sentence_that_says_what_its_sources_say_is_supported(
    sentence: str, cited: list[str], polarity: str | None
) -> None:
    assert check_sentence(sentence, cited, polarity=polarity) == ""


@pytest.mark.parametrize(
    ("sentence", "cited", "polarity", "reason"),
    [
        ("", ["sound"], None, "empty"),
        ("Clear sound.", [], None, "nothing is cited"),
        ("Clear sound.", ["   "], None, "nothing is cited"),
        ("The sound is clear for 5 hours.", ["the sound is clear for hours"], None, "number 5"),
        ("It lasted three years.", ["it lasted 2 years"], None, "number 3"),
        ("用了五个月。", ["用了3个月"], None, "number 5"),
        ("Likes the clear sound of Behringer.", ["the sound is clear"], None, "name Behringer"),
        ("喜欢Behringer的声音。", ["喜欢声音"], None, "name Behringer"),
        ("Likes the SM57 sound.", ["the SM58 sound"], None, "SM57"),
        ("Likes vintage tube amplifiers.", ["the sound is clear"], None, "content words"),
        ("喜欢古典音乐和歌剧。", ["价格便宜"], None, "content words"),
        ("They like it.", ["the sound is clear"], None, "no content"),
        ("Dislikes the clear sound.", ["the sound is clear"], "like", "says dislike"),
        ("Likes the hiss.", ["there is a hiss"], "dislike", "says like"),
        ("用户不喜欢这个包装。", ["包装很漂亮"], "like", "says dislike"),
        ("用户喜欢包装。", ["包装破损"], "dislike", "says like"),
        ("Likes the strap and dislikes the buckle.", ["strap buckle"], "like", "says mixed"),
        ("Likes the strap.", ["nice strap", "strap broke"], "mixed", "say both"),
        ("Dislikes needing a case.", ["I need a case"], "need", "says dislike"),
    ],
)
def test_a_sentence_that_says_more_or_else_is_refused_with_the_reason(
    sentence: str, cited: list[str], polarity: str | None, reason: str
) -> None:
    assert reason in check_sentence(sentence, cited, polarity=polarity)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sturdy and quiet", "like"),
        ("it is not sturdy", "dislike"),
        ("no noise at all", "like"),
        ("far too heavy", "dislike"),
        ("they are not too stiff", "like"),
        ("I bought one for him too", ""),
        ("not cheap but sturdy", "mixed"),
        ("the strap is 20 cm long", ""),
        ("没有异味", "like"),
        ("不便宜", "dislike"),
        ("不错", "like"),
        ("喜欢颜色，但讨厌气味", "mixed"),
        ("", ""),
    ],
)
def test_stance_reads_negation_in_both_languages(text: str, expected: str) -> None:
    assert stance(text) == expected


def test_full_width_and_half_width_are_the_same_text() -> None:
    assert check_sentence("Ｌasts ２０ hours on battery", ["battery lasts 20 hours"]) == ""


@given(st.text(max_size=200))
def test_no_text_breaks_the_validator(text: str) -> None:
    assert isinstance(check_sentence(text, [text, "sound"], polarity="like"), str)
    assert len(set(content_words(text))) == len(content_words(text))


@given(st.lists(st.sampled_from(["strap", "buckle", "sound", "声音", "包装"]), min_size=1))
def test_a_literal_quote_supports_itself(words: list[str]) -> None:
    sentence = " ".join(words)
    assert check_sentence(sentence, [sentence]) == ""
