"""Reading a server's answers: whatever comes, an answer or an error of the port."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.completions import read_choices, read_generation, read_labels
from retrieval.errors import ModelOutputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "index", "logprobs", "top_logprobs", "token",
                 "logprob", "usage", "prompt_tokens"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)  # fmt: skip


@given(JSON)
def test_any_json_is_a_generation_or_an_output_error(answer: object) -> None:
    try:
        generation = read_generation(answer)
    except ModelOutputError:
        return
    assert isinstance(generation.text, str)
    assert generation.finish in ("stop", "length")


@given(st.dictionaries(st.just("logprobs"), JSON))
def test_labels_are_finite_and_at_most_zero_or_not_there(choice: dict[str, object]) -> None:
    row, missing = read_labels(choice, {"yes": "yes", "no": "no"})
    assert row is None or all(math.isfinite(value) and value <= 0 for value in row.values())
    assert 0 <= missing <= 2


def test_choices_are_sorted_by_their_index() -> None:
    rows = [{"index": 1, "a": 1}, {"index": 0, "a": 0}]
    assert [row["a"] for row in read_choices({"choices": rows}, 2)] == [0, 1]


def test_fewer_or_doubled_choices_are_an_error() -> None:
    for rows in ([{"index": 0}], [{"index": 0}, {"index": 0}], [{"index": 0}, {"index": 2}]):
        with pytest.raises(ModelOutputError, match="for 2 prompts"):
            read_choices({"choices": rows}, 2)


def test_an_answer_that_went_into_the_reasoning_says_what_to_do() -> None:
    message = {"content": None, "reasoning": "let me think"}
    with pytest.raises(ModelOutputError) as caught:
        read_generation({"choices": [{"index": 0, "message": message}]})
    assert "thinking off" in caught.value.hint


def test_minus_9999_stays_and_a_rounding_above_zero_is_zero() -> None:
    top = [{"token": "yes", "logprob": 1e-7}, {"token": "no", "logprob": -9999.0}]
    choice = {"logprobs": {"content": [{"token": "yes", "logprob": 0.0, "top_logprobs": top}]}}
    assert read_labels(choice, {"y": "yes", "n": "no"}) == ({"y": 0.0, "n": -9999.0}, 0)
