"""Does the language model improve S? Asked about labelled users, as requests would ask it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.cards import history_text, item_card, latest_liked
from agent.fitting.certificate import Certificate, LlmGate
from agent.fitting.fit import Learnt
from agent.fitting.labels import LabelledUser
from agent.fitting.pools import FitPool
from agent.measure import ndcg, ranks_in
from agent.profiles.attributes import liked_items
from agent.rerank import Judgement
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.fusion.gate import STRICT, Decision, decide
from retrieval.fusion.guard import guarded_order
from retrieval.fusion.score import FusedCandidate, combine
from retrieval.fusion.weights import FusionWeights, llm_key
from retrieval.ports import Progress
from retrieval.sources.clean import detect_lang
from retrieval.types import Interaction, Item

WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
"""λ that are tried; the smallest of equals is taken."""
FOLDS = 5
MOST_FAILED = 0.1
"""Share of failed questions above which nothing was measured."""

Ask = Callable[[str, Sequence[tuple[str, str]], str], Judgement]
"""What the model says: text of a person, (item id, card) of candidates, language."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How a fit asks the language model.

    Attributes:
        model_id: of the model.
        prompt: that it is asked with, e.g. ``rerank@1``.
        ask: the model.
        users: labelled users who are asked about, a seeded sample.
        candidates: how many of a pool's best are judged.
        max_rise: m of the guard.
    """

    model_id: str
    prompt: str
    ask: Ask
    users: int
    candidates: int
    max_rise: int


@dataclass(frozen=True, eq=False)
class JudgedPool:
    """A labelled user's pool in the order of S, and what the model said of its best.

    ``failed`` says why it said nothing although it was asked.
    """

    user: LabelledUser
    stratum: str
    base: Sequence[FusedCandidate]
    log_odds: Mapping[str, float | None]
    failed: str = ""

    def value(self, weight: float, max_rise: int) -> float:
        """NDCG@10 of F with this λ, within the guard; λ = 0 is S."""
        order = [one.item_id for one in self.base]
        if weight and self.log_odds:
            scores = {one.item_id: one.score for one in combine(self.base, self.log_odds, weight)}
            order = guarded_order(order, scores, max_rise)
        return ndcg(ranks_in(order, self.user.positives))


def with_llm(
    learnt: Learnt, items: Mapping[str, Item], judging: Judging, progress: Progress
) -> Certificate:
    """The certificate with the gate of F, and with the λ that it allows."""
    certificate = learnt.certificate
    started = time.perf_counter()
    chosen = np.random.default_rng(certificate.seed).permutation(len(learnt.pools))
    judged = judge_pools(
        [learnt.pools[at] for at in np.sort(chosen[: judging.users])],
        learnt.names,
        certificate.weights,
        learnt.matrix,
        before=learnt.before,
        items=items,
        ask=judging.ask,
        candidates=judging.candidates,
        progress=progress,
    )
    failed = [one.failed for one in judged if one.failed]
    if len(judged) < FOLDS or len(failed) > MOST_FAILED * len(judged):
        why = f"{len(failed)} of {len(judged)} users failed: {failed[0]}" if failed else (
            f"{len(judged)} labelled users, {FOLDS} are needed"
        )  # fmt: skip
        note = f"the language model was not measured: {why}"
        return replace(certificate, notes=(*certificate.notes, note))
    weight, decision = gate_llm(judged, max_rise=judging.max_rise, seed=certificate.seed)
    key = llm_key(judging.model_id, judging.prompt)
    seconds = time.perf_counter() - started
    return replace(
        certificate,
        llm=LlmGate(judging.model_id, judging.prompt, weight, len(judged), seconds, decision),
        weights=replace(certificate.weights, llm={key: weight}),
    )


def judge_pools(
    pools: Sequence[FitPool],
    names: Sequence[str],
    weights: FusionWeights,
    matrix: InteractionMatrix,
    *,
    before: Sequence[Interaction],
    items: Mapping[str, Item],
    ask: Ask,
    candidates: int,
    progress: Progress,
) -> list[JudgedPool]:
    """Ask about the best of each pool. Nothing that the model reads is newer than the cut.

    Cards are titles and attributes, a person is what they liked before: profiles may have
    read later texts. A failed question leaves S as it is, and says why.

    Args:
        pools: of the users to ask about.
        names: sources, the columns of the pools.
        weights: of S.
        matrix: whose columns the pools name.
        before: the log up to the cut.
        items: by id.
        ask: the model.
        candidates: how many of a pool's best are judged.
        progress: a unit a user.
    """
    progress.start("asking the language model", len(pools))
    events: dict[str, list[Interaction]] = {}
    for event in before:
        events.setdefault(event.user_id, []).append(event)
    judged = []
    for pool in pools:
        base = fused_pool(pool, names, weights, matrix.item_ids)
        liked = latest_liked(liked_items(events.get(pool.user.user_id, [])))
        titles = [items[item].title for item in liked if item in items]
        lang = detect_lang(" ".join(titles))
        cards = [
            (one.item_id, item_card(items[one.item_id], ()))
            for one in base[:candidates]
            if one.item_id in items
        ]
        told = ask(history_text(titles, lang), cards, lang) if cards and titles else Judgement()
        judged.append(
            JudgedPool(pool.user, pool.context.stratum, base, told.log_odds, told.degraded_because)
        )
        progress.advance()
    return judged


def fused_pool(
    pool: FitPool, names: Sequence[str], weights: FusionWeights, item_ids: Sequence[str]
) -> list[FusedCandidate]:
    """The pool in the order of S, as a request without text would see it."""
    scores = pool.z @ pool.shares(names, weights)
    order = np.argsort(-scores, kind="stable")
    return [
        FusedCandidate(item_ids[pool.items[at]], float(scores[at]), {"S": float(scores[at])})
        for at in order.tolist()
    ]


def gate_llm(
    judged: Sequence[JudgedPool], *, max_rise: int, seed: int = 0
) -> tuple[float, Decision]:
    """λ and whether F may replace S: chosen on the other folds, judged on one's own.

    Args:
        judged: at least two users.
        max_rise: m of the guard.
        seed: of folds and resampling.

    Returns:
        λ, 0 where the gate is closed, and the decision.
    """
    values = np.array([[one.value(weight, max_rise) for weight in WEIGHTS] for one in judged])
    fold = np.random.default_rng(seed).permutation(len(judged)) % FOLDS
    after: NDArray[np.float64] = np.zeros(len(judged))
    for left_out in range(FOLDS):
        mine = fold == left_out
        after[mine] = values[mine, int(np.argmax(values[~mine].mean(axis=0)))]
    strata = [one.stratum for one in judged]
    decision = decide(values[:, 0], after, strata, seed, confidence=STRICT)
    chosen = WEIGHTS[int(np.argmax(values.mean(axis=0)))]
    return (chosen if decision.opened else 0.0), decision
