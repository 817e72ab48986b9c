"""The lane asks what is new, once; replays the rest; counts, and stops at the budget."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ports import LabelScores, LanguageModel, Message
from agent.scripted import ScriptedModel
from eval.answers.cassette import Cassette
from eval.answers.lane import Budget, BudgetSpent, Lane
from prompts.prompt import conversation_sha256
from retrieval.errors import (
    ContextOverflow,
    InvalidInput,
    ModelOutputError,
    ModelTimeout,
    ModelUnavailable,
    PalateError,
)
from tests.eval.runs.worlds import Judge, lane, looks_at_cards

LABELS = ("yes", "no")


def turns(text: str) -> list[Message]:
    block = f"<data a>\n{text}\n</data a>"
    return [{"role": "system", "content": "Judge."}, {"role": "user", "content": block}]


def prompts(*texts: str) -> list[list[Message]]:
    return [turns(text) for text in texts]


class Failing(Judge):
    """Raises what it is told to, until it is told nothing."""

    error: PalateError | None = None

    def label_logprobs(self, *args: object, **more: object) -> LabelScores:
        if self.error is not None:
            self.calls += 1
            raise self.error
        return super().label_logprobs(*args, **more)  # type: ignore[arg-type]


def test_equal_prompts_of_one_call_are_asked_once(tmp_path: Path) -> None:
    model = Judge(looks_at_cards)
    on = lane(tmp_path, model)
    scores = on.label_logprobs(prompts("a", "b", "a", "a"), LABELS)
    assert len(model.asked) == 2
    assert scores.logprobs[0] == scores.logprobs[2] == scores.logprobs[3] != scores.logprobs[1]
    assert (on.usage.calls, on.usage.asked, on.usage.replayed) == (1, 2, 2)


def test_a_second_lane_on_the_record_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    first = lane(tmp_path, Judge(looks_at_cards)).label_logprobs(prompts("a", "b"), LABELS)
    again = Judge(lambda blocks: 0.0)
    on = lane(tmp_path, again)
    assert on.label_logprobs(prompts("a", "b"), LABELS) == first
    assert again.calls == 0
    assert on.budget.spent == 0
    assert (on.usage.asked, on.usage.replayed) == (0, 2)
    assert on.usage.prompt_tokens == first.prompt_tokens == 20
    replay = Lane(None, Cassette(tmp_path / "fake.jsonl"), Budget(1))
    assert replay.label_logprobs(prompts("b", "a"), LABELS).logprobs == first.logprobs[::-1]
    assert replay.info == again.info


def test_only_what_is_new_is_sent_and_all_of_it_in_one_call(tmp_path: Path) -> None:
    model = Judge(looks_at_cards)
    on = lane(tmp_path, model)
    alone = on.label_logprobs(prompts("b"), LABELS).logprobs
    three = on.label_logprobs(prompts("a", "b", "c"), LABELS)
    assert model.calls == 2
    assert len(model.asked) == 3
    assert three.logprobs[1] == alone[0]


def test_other_labels_another_kind_and_another_salt_are_other_requests(tmp_path: Path) -> None:
    model = Judge(looks_at_cards)
    on = lane(tmp_path, model)
    on.label_logprobs(prompts("a"), LABELS)
    on.label_logprobs(prompts("a"), ("no", "yes"))
    on.generate(prompts("a"), max_tokens=5)
    on.generate(prompts("a"), max_tokens=6)
    on.generate(prompts("a"), max_tokens=6, stop=["x"])
    on.view("repeat 1").label_logprobs(prompts("a"), LABELS)
    on.view("repeat 1").view("repeat 2").label_logprobs(prompts("a"), LABELS)
    assert len(model.asked) == 7
    on.view().label_logprobs(prompts("a"), LABELS)
    on.view("repeat 1").label_logprobs(prompts("a"), LABELS)
    on.view("repeat 1").view().label_logprobs(prompts("a"), LABELS)
    assert len(model.asked) == 7


def test_views_share_record_budget_and_what_was_shown_but_not_counters(tmp_path: Path) -> None:
    on = lane(tmp_path, Judge(looks_at_cards), budget=1_000)
    one, other = on.view(), on.view("salt")
    one.label_logprobs(prompts("a", "b"), LABELS)
    other.label_logprobs(prompts("c"), LABELS)
    assert on.budget.spent == one.budget.spent == other.budget.spent == 33
    assert (one.usage.asked, other.usage.asked, on.usage.asked) == (2, 1, 0)
    assert set(on.shown) == {conversation_sha256(turns(text)) for text in "abc"}
    assert on.shown is other.shown


def test_generations_come_back_whole_and_are_told_in_order(tmp_path: Path) -> None:
    told: list[int] = []
    model = Judge(looks_at_cards)
    on = lane(tmp_path, model)
    first = on.generate(prompts("a", "b", "a"), max_tokens=9, done=lambda at, _: told.append(at))
    assert told == [0, 1, 2]
    assert first[0] == first[2]
    assert "A" in first[0].text
    assert (first[0].prompt_tokens, first[0].completion_tokens) == (5, 3)
    assert lane(tmp_path, model).generate(prompts("a", "b", "a"), max_tokens=9) == first
    assert len(model.asked) == 2


def test_the_budget_ends_before_the_next_call_and_replays_stay_free(tmp_path: Path) -> None:
    model = Judge(looks_at_cards)
    on = lane(tmp_path, model, budget=12)
    on.label_logprobs(prompts("a"), LABELS)  # 11 tokens: one is left
    on.label_logprobs(prompts("b", "c"), LABELS)
    assert on.budget.spent == 33
    with pytest.raises(BudgetSpent, match="33 of 12 tokens"):
        on.label_logprobs(prompts("a", "d"), LABELS)
    with pytest.raises(BudgetSpent):
        on.view("salt").generate(prompts("a"), max_tokens=1)
    assert model.calls == 2
    on.label_logprobs(prompts("a", "b", "c"), LABELS)


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_budget_of_nothing_is_refused(tokens: int) -> None:
    with pytest.raises(InvalidInput, match=f"a budget of {tokens} tokens"):
        Budget(tokens)


def test_a_replay_that_lacks_an_answer_says_what_to_do(tmp_path: Path) -> None:
    lane(tmp_path, Judge(looks_at_cards)).label_logprobs(prompts("a"), LABELS)
    replay = Lane(None, Cassette(tmp_path / "fake.jsonl"), Budget())
    with pytest.raises(ModelUnavailable, match="no answer for 1 of 2 requests") as caught:
        replay.label_logprobs(prompts("a", "b"), LABELS)
    assert "run once with the model" in caught.value.hint


def test_a_prompt_that_failed_alone_fails_in_the_replay_and_is_asked_anew(tmp_path: Path) -> None:
    broken = Judge(lambda blocks: None if blocks[-1] == "b" else 1.0)
    first = lane(tmp_path, broken).label_logprobs(prompts("a", "b"), LABELS)
    assert first.logprobs[1] is None
    replay = Lane(None, Cassette(tmp_path / "fake.jsonl"), Budget())
    assert replay.label_logprobs(prompts("a", "b"), LABELS) == first
    mended = Judge(lambda blocks: 1.0)
    scores = lane(tmp_path, mended).label_logprobs(prompts("a", "b"), LABELS)
    assert scores.logprobs[1] == scores.logprobs[0] == first.logprobs[0]
    assert len(mended.asked) == 1


@pytest.mark.parametrize(
    "error", [ContextOverflow("too long"), ModelTimeout("too slow"), ModelOutputError("nonsense")]
)
def test_a_call_that_failed_fails_alike_in_the_replay_and_is_asked_anew(
    tmp_path: Path, error: PalateError
) -> None:
    model = Failing(looks_at_cards)
    model.error = error
    on = lane(tmp_path, model)
    for _ in range(2):
        with pytest.raises(type(error), match=error.message):
            on.label_logprobs(prompts("a", "b"), LABELS)
    assert model.calls == 1
    replay = Lane(None, Cassette(tmp_path / "fake.jsonl"), Budget())
    with pytest.raises(type(error), match=error.message):
        replay.label_logprobs(prompts("a", "b"), LABELS)
    model.error = None
    on.label_logprobs(prompts("a"), LABELS)  # alone it may do well
    lane(tmp_path, model).label_logprobs(prompts("a", "b"), LABELS)
    assert model.calls == 3


def test_that_a_model_is_gone_goes_on_no_record(tmp_path: Path) -> None:
    model = Failing(looks_at_cards)
    model.error = ModelUnavailable("gone")
    on = lane(tmp_path, model)
    with pytest.raises(ModelUnavailable, match="gone"):
        on.label_logprobs(prompts("a"), LABELS)
    model.error = None
    assert on.label_logprobs(prompts("a"), LABELS).logprobs[0] is not None


def test_a_model_that_loses_answers_is_no_model_to_record(tmp_path: Path) -> None:
    class Losing(Judge):
        def label_logprobs(self, conversations: object, *_: object, **__: object) -> LabelScores:
            return LabelScores(({"yes": -1.0, "no": -1.0},), 1, 1, 0)

    with pytest.raises(ModelOutputError, match="answered 1 of 2 prompts"):
        lane(tmp_path, Losing()).label_logprobs(prompts("a", "b"), LABELS)


@given(st.integers(0, 40), st.integers(1, 7))
def test_shares_of_a_call_add_up_to_the_call(
    tmp_path_factory: pytest.TempPathFactory, missing: int, count: int
) -> None:
    class Missing(Judge):
        def label_logprobs(self, *args: object, **more: object) -> LabelScores:
            found = super().label_logprobs(*args, **more)  # type: ignore[arg-type]
            return LabelScores(found.logprobs, 1_001, 7, missing)

    folder = tmp_path_factory.mktemp("shares")
    texts = prompts(*(str(at) for at in range(count)))
    model: LanguageModel = Missing(looks_at_cards)
    for answering in (model, None):
        cassette = Cassette(folder / "a.jsonl", answering and model.info)
        scores = Lane(answering, cassette, Budget()).label_logprobs(texts, LABELS)
        assert (scores.prompt_tokens, scores.completion_tokens) == (1_001, 7)
        assert scores.missing == missing


def test_threads_lose_nothing(tmp_path: Path) -> None:
    model = Judge(looks_at_cards, delay=0.001)
    on = lane(tmp_path, model)
    view = on.view()
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(
                lambda at: view.label_logprobs(prompts(f"{at}", f"{at}b"), LABELS), range(40)
            )
        )
    assert len(model.asked) == len(set(model.asked)) == 80
    usage = view.usage
    assert (usage.calls, usage.asked, usage.replayed) == (40, 80, 0)
    assert usage.prompt_tokens + usage.completion_tokens == on.budget.spent == 880
    reopened = Lane(None, Cassette(tmp_path / "fake.jsonl"), Budget())
    again = [reopened.label_logprobs(prompts(f"{at}", f"{at}b"), LABELS) for at in range(40)]
    assert again == found


def test_a_call_about_nothing_asks_nothing(tmp_path: Path) -> None:
    model = ScriptedModel()
    on = Lane(model, Cassette(tmp_path / "a.jsonl", model.info), Budget())
    assert on.label_logprobs([], LABELS) == LabelScores((), 0, 0, 0)
    assert model.calls == on.usage.calls == 0
    with pytest.raises(ModelUnavailable, match="no pictures"):
        on.describe_image(tmp_path / "a.png", "what?", max_tokens=3)
