"""Ask a model about one question's candidates, exactly as production's pointwise lane does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.rerank import PointwiseScorer, log_odds
from eval.answers.lane import Lane
from eval.judged import JudgedItem, JudgedQuestion
from eval.question import PoolItem, Question
from prompts.prompt import Prompt, conversation_sha256
from retrieval.errors import ContextOverflow, ModelOutputError, ModelTimeout

PromptFor = Callable[[str], Prompt]
"""Language -> prompt."""


def card_of(item: PoolItem, bins: bool) -> str:
    """What the model reads of a candidate; with ``bins`` what each source says, last."""
    if not bins or not item.bins:
        return item.card
    return f"{item.card}. {' · '.join(f'{name} {level}' for name, level in item.bins.items())}"


def judged_candidates(question: Question, count: int) -> list[PoolItem]:
    """The best ``count`` candidates by S, those without a card left out."""
    return [item for item in question.candidates[:count] if item.card]


def judge_question(
    lane: Lane,
    question: Question,
    prompt_for: PromptFor,
    *,
    candidates: int,
    bins: bool = False,
    person: str | None = None,
    order: Sequence[str] | None = None,
    cards: Mapping[str, str] | None = None,
) -> JudgedQuestion:
    """One call about the best candidates of a question.

    Args:
        lane: replays or asks; its counters are left alone.
        question: whom and what to judge.
        prompt_for: the prompt under test.
        candidates: how many of the best by S.
        bins: the cards show what each source says.
        person: another text in place of the question's own (a control).
        order: item ids in the order in which they are shown; default S.
        cards: other texts for some items (an attack); only items that are judged anyway.

    Returns:
        A judgement of every candidate; none where nothing is known of the person and nothing
        was wished, for production does not ask then. A call that timed out, overflowed the
        window or came back unusable gives ``failed_because`` and no log-odds.

    Raises:
        ModelUnavailable: the model went away, or a replay lacks an answer.
        BudgetSpent: before the call.
    """
    chosen = judged_candidates(question, candidates)
    shown = {item.item_id: card_of(item, bins) for item in chosen}
    shown |= {item_id: card for item_id, card in (cards or {}).items() if item_id in shown}
    ids = list(shown) if order is None else [item_id for item_id in order if item_id in shown]
    person = question.person_text if person is None else person
    if not person and not question.query_text:
        return JudgedQuestion(question.query_id, ())
    view = lane.view()
    scorer = PointwiseScorer(view, prompt_for)
    pairs = [(item_id, shown[item_id]) for item_id in ids]
    asked = scorer.render(
        profile_text=person, query_text=question.query_text, cards=pairs, lang=question.lang
    )
    hashes = {item_id: conversation_sha256(turns) for item_id, turns in asked}
    try:
        _, scores = scorer.score(
            profile_text=person,
            query_text=question.query_text,
            cards=pairs,
            lang=question.lang,
            deadline=None,
        )
    except (ContextOverflow, ModelTimeout, ModelOutputError) as error:
        return JudgedQuestion(
            question.query_id,
            tuple(JudgedItem(item_id, None, None, hashes.get(item_id, "")) for item_id in ids),
            calls=1,
            failed_because=f"{error.code}: {error.message}",
        )
    labels = prompt_for(question.lang).labels
    rows = dict(zip(hashes, scores.logprobs, strict=True))
    return JudgedQuestion(
        question.query_id,
        tuple(
            JudgedItem(
                item_id,
                log_odds(rows.get(item_id), labels),
                rows.get(item_id),
                hashes.get(item_id, ""),
            )
            for item_id in ids
        ),
        prompt_tokens=scores.prompt_tokens,
        completion_tokens=scores.completion_tokens,
        milliseconds=view.usage.milliseconds,
        calls=view.usage.calls,
        replayed=view.usage.replayed,
        missing=scores.missing,
    )
