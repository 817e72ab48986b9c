"""Marking words changes no text, and marks what differs and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eval.report.blocks import ShownTurn
from eval.report.changes import unchanged, word_changes
from prompts.prompt import Turn

TEXTS = st.text("ab 好酒.\n-_é", max_size=30)
TURNS = st.lists(
    st.builds(lambda role, text: Turn(role=role, content=text),
              st.sampled_from(["system", "user", "assistant"]), TEXTS), max_size=4,
)  # fmt: skip


def texts(turns: list[ShownTurn]) -> list[tuple[str, str]]:
    return [(turn.role, "".join(span.text for span in turn.spans)) for turn in turns]


def marked(turns: list[ShownTurn]) -> list[str]:
    return [span.text for turn in turns for span in turn.spans if span.changed]


@given(TURNS, TURNS)
def test_joining_the_spans_gives_the_texts_again(left: list[Turn], right: list[Turn]) -> None:
    ours, theirs = word_changes(left, right)
    assert texts(ours) == [(turn["role"], turn["content"]) for turn in left]
    assert texts(theirs) == [(turn["role"], turn["content"]) for turn in right]


@given(TURNS)
def test_nothing_is_marked_between_equals(turns: list[Turn]) -> None:
    ours, theirs = word_changes(turns, turns)
    assert marked(ours) == marked(theirs) == []
    assert texts(unchanged(turns)) == texts(ours)


def test_a_changed_word_is_marked_on_both_sides() -> None:
    left = [Turn(role="user", content="likes dry wine; would buy it?")]
    right = [Turn(role="user", content="likes sweet wine; would buy it?")]
    ours, theirs = word_changes(left, right)
    assert (marked(ours), marked(theirs)) == (["dry"], ["sweet"])


def test_a_chinese_text_is_compared_character_by_character() -> None:
    left = [Turn(role="user", content="喜欢白葡萄酒")]
    right = [Turn(role="user", content="喜欢红葡萄酒")]
    ours, theirs = word_changes(left, right)
    assert (marked(ours), marked(theirs)) == (["白"], ["红"])


def test_frequent_words_of_a_long_prompt_are_no_noise() -> None:
    long = "the card says the same as the other card " * 40
    ours, _ = word_changes(
        [Turn(role="user", content=long + "today")], [Turn(role="user", content=long + "never")]
    )
    assert marked(ours) == ["today"]
