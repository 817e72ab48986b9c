"""The model's log-odds, and that nothing it does can take the answer away."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from agent.ports import Generation, LabelScores, Message, ModelInfo
from agent.rerank import PointwiseScorer, judge
from agent.scripted import ScriptedModel
from prompts.library import PromptLibrary
from retrieval.errors import ContextOverflow, ModelOutputError, ModelTimeout, ModelUnavailable

CARDS = [("a", "Quiet kettle. + quiet motor"), ("b", "Loud drum"), ("c", "Mug")]


class Oracle:
    """A model that answers fixed rows, or raises."""

    info = ModelInfo("oracle", "small", 4096)

    def __init__(self, *rows: dict[str, float] | None, error: Exception | None = None) -> None:
        self.rows = rows
        self.error = error
        self.asked: list[Sequence[Message]] = []

    def generate(self, conversations: object, **_: object) -> list[Generation]:
        return []

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        self.asked.extend(conversations)
        if self.error is not None:
            raise self.error
        return LabelScores(tuple(self.rows), 30, len(self.rows), 0)

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        raise ModelUnavailable("blind")


def ask(model: object, cards: Sequence[tuple[str, str]] = CARDS, lang: str = "en"):  # type: ignore[no-untyped-def]
    return judge(
        PointwiseScorer(model, partial(PromptLibrary().find, "rerank")),  # type: ignore[arg-type]
        profile_text="Needs a quiet motor.",
        query_text="a kettle",
        cards=cards,
        lang=lang,
        deadline=60,
    )


def test_log_odds_are_yes_minus_no_in_one_call() -> None:
    model = Oracle({"yes": -0.1, "no": -2.1}, {"yes": -3.0, "no": -0.5}, {"yes": -1.0, "no": -1.0})
    judgement = ask(model)
    assert judgement.log_odds == pytest.approx({"a": 2.0, "b": -2.5, "c": 0.0})
    assert (judgement.calls, judgement.tokens, judgement.degraded_because) == (1, 33, "")
    assert judgement.prompt_versions["rerank"].startswith("rerank@")


def test_every_conversation_shares_all_but_the_card() -> None:
    model = Oracle(None, None, None)
    ask(model)
    first, second, _ = model.asked
    assert first[:-1] == second[:-1]
    assert first[-1]["content"].index("Needs a quiet motor") < first[-1]["content"].index("kettle.")


def test_a_failed_or_infinite_judgement_is_no_judgement_and_is_said() -> None:
    judgement = ask(Oracle({"yes": -1.0, "no": -2.0}, None, {"yes": -math.inf, "no": -0.1}))
    assert judgement.log_odds == {"a": 1.0, "b": None, "c": None}
    assert judgement.notes == ("the language model judged 1 of 3 items",)


def test_rubbish_for_all_leaves_nothing_and_says_so() -> None:
    judgement = ask(ScriptedModel(fail="rubbish"))
    assert judgement.log_odds == {}
    assert judgement.degraded_because == "the language model answered nothing usable"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelTimeout("slow"), "the language model did not answer within 60 s"),
        (ModelUnavailable("gone"), "the language model is not available: gone"),
        (ModelOutputError("odd"), "the language model answered something unusable: odd"),
        (ContextOverflow("long"), "the prompt does not fit the language model's window: long"),
    ],
)
def test_each_failure_of_the_model_is_a_reason_and_no_error(error: Exception, words: str) -> None:
    judgement = ask(Oracle(error=error))
    assert judgement.log_odds == {}
    assert judgement.degraded_because == words


def test_a_model_that_answers_too_few_rows_is_unusable() -> None:
    assert "judged 1 of 3" in ask(Oracle({"yes": -1.0, "no": -2.0})).degraded_because


def test_a_card_that_vanishes_when_neutralised_does_not_silence_the_others() -> None:
    judgement = ask(
        Oracle({"yes": -1.0, "no": -2.0}, {"yes": -1.0, "no": -3.0}),
        [("a", "Kettle"), ("z", "\u200b"), ("b", "Mug")],
    )
    assert judgement.log_odds == {"a": 1.0, "z": None, "b": 2.0}


def test_the_scripted_model_prefers_what_the_profile_names_in_either_language() -> None:
    odds = ask(ScriptedModel()).log_odds
    assert odds["a"] > odds["c"]
    assert set(ask(ScriptedModel(), lang="zh").log_odds) == {"a", "b", "c"}
