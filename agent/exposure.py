"""A recommender that keeps the requests that it may keep, and experiments on those only.

What nobody agreed to is answered as by any ``Recommender`` and leaves no trace. So does an
experiment: an answer that cannot be analysed is not worth trying something out on somebody.
"""

from __future__ import annotations

import logging
import random
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from agent.cards import source_bins
from agent.experiments import assign, explore, propensity, team_draft
from agent.judging import Judge
from agent.pages import Listed
from agent.pseudonyms import Pseudonyms
from agent.ranked import Ranked
from agent.recommend import Recommender
from agent.redaction import redact
from agent.rerank import PROMPT, Judgement
from retrieval.errors import PalateError
from retrieval.fusion.score import FusedCandidate
from retrieval.ports import RequestLog
from retrieval.types import Answer, LoggedItem, LoggedRequest, Query

_log = logging.getLogger(__name__)
_PRUNED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Placed:
    """One item as it is shown; see ``LoggedItem`` for the words."""

    candidate: FusedCandidate
    policy_rank: int | None = None
    propensity: float | None = None
    team: str = ""


@dataclass(frozen=True, slots=True)
class _Shown:
    """An answer in the making, and how it came about.

    ``listed`` is the whole list as it is shown; ``placed`` is its first page.
    """

    ranked: Ranked
    listed: Listed
    placed: Sequence[_Placed] = ()
    experiment: str = ""
    design: Literal["", "ab", "interleave"] = ""
    weights: tuple[float, ...] = ()
    arm: str = ""
    explore: float = 0.0
    explore_depth: int = 0


class LoggingRecommender(Recommender):
    """Keeps requests as ``settings.log`` says and deals users out as ``settings.experiment`` does.

    A stranger takes part in no experiment: nothing they take afterwards can be found. Nor
    does a request that switched re-ranking off itself.

    Args:
        request_log: receives the requests.
        pseudonyms: names the users in it; ``None`` keeps their ids.
        judges: of every arm, by name.
        now: the time.
        parts: of a ``Recommender``.
    """

    def __init__(
        self,
        *,
        request_log: RequestLog,
        pseudonyms: Pseudonyms | None,
        judges: Mapping[str, Judge],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self._request_log = request_log
        self._pseudonyms = pseudonyms
        self._judges = judges
        self._now = now
        self._pruning = threading.Lock()
        self._pruned = datetime.min.replace(tzinfo=UTC)

    def recommend(self, query: Query) -> Answer:
        """As ``Recommender.recommend``; a request that cannot be kept is answered all the same.

        A next page goes on with the list that the first one showed, and is not kept: the log
        says what was answered to a request, and the request was the first page's.
        """
        consent = self._consent(query)
        if consent is None or query.cursor:
            return super().recommend(query)
        request_id = uuid.uuid4().hex
        shown = self._show(query, request_id)
        answer = self.page(shown.listed)
        try:
            self._request_log.append([self._request(request_id, query, consent, shown, answer)])
            self._prune()
        except PalateError as error:
            _log.warning("a request could not be kept: %s", error.message)
        return answer

    def listed(self, query: Query, list_id: str = "") -> Listed:
        """As ``Recommender.listed``, in the arm and by the draws of the first page."""
        if self._consent(query) is None:
            return super().listed(query, list_id)
        return self._show(query, list_id).listed

    def _consent(self, query: Query) -> Literal["asked", "assumed"] | None:
        if query.log is None:
            return "assumed" if self.settings.log.consent == "assume" else None
        return "asked" if query.log else None

    def _show(self, query: Query, seed: str) -> _Shown:
        experiment = self.settings.experiment
        if query.user_id is None or not query.rerank or not experiment.name:
            ranked = self.rank(query, self.judge)
            return self._explored(_Shown(ranked, self.list_of(ranked)), query, seed)
        if experiment.kind == "interleave":
            return self._interleaved(query, seed)
        weights = experiment.weights or (1.0,) * len(experiment.arms)
        arm = experiment.arms[assign(experiment.name, query.user_id, weights)]
        ranked = self.rank(query, self._judges[arm])
        shown = _Shown(ranked, self.list_of(ranked), (), experiment.name, "ab", weights, arm)
        return self._explored(shown, query, seed)

    def _explored(self, shown: _Shown, query: Query, seed: str) -> _Shown:
        experiment = self.settings.experiment
        # Nothing is shuffled that a rule put where it is.
        depth = min(experiment.explore_depth, shown.listed.free)
        epsilon = experiment.explore if query.user_id is not None and depth > 1 else 0.0
        listed = shown.listed
        order = listed.order
        best = {one.item_id: one for one in order[: query.n]}
        policy = {item_id: rank for rank, item_id in enumerate(best, start=1)}
        placed = [
            _Placed(
                best[item_id],
                policy[item_id],
                propensity(policy[item_id], rank, epsilon, depth, len(best)),
            )
            for rank, item_id in enumerate(
                explore(list(best), epsilon, depth, random.Random(seed)), start=1
            )
        ]
        if epsilon:
            order = (*(one.candidate for one in placed), *order[query.n :])
            listed = replace(listed, order=order, list_id=seed)
        return replace(
            shown,
            listed=listed,
            placed=placed,
            explore=epsilon,
            explore_depth=depth if epsilon else experiment.explore_depth,
        )

    def _interleaved(self, query: Query, seed: str) -> _Shown:
        experiment = self.settings.experiment
        first = self.rank(query, self._judges[experiment.arms[0]])
        second = self.rejudge(first, self._judges[experiment.arms[1]])
        sides = [{one.item_id: one for one in side.order} for side in (first, second)]
        orders = [list(side) for side in sides]
        draft = team_draft(orders[0], orders[1], len(first.order), random.Random(seed))
        # Rules and diversity treat both teams alike: they see one list, after the draft.
        both = replace(
            first,
            order=[sides[side][item_id] for item_id, side in draft],
            judgement=_joined(first.judgement, second.judgement),
        )
        listed = replace(self.list_of(both), list_id=seed)
        teams = {item_id: experiment.arms[side] for item_id, side in draft}
        placed = [_Placed(one, team=teams[one.item_id]) for one in listed.order[: query.n]]
        return _Shown(both, listed, placed, experiment.name, "interleave")

    def _request(
        self,
        request_id: str,
        query: Query,
        consent: Literal["asked", "assumed"],
        shown: _Shown,
        answer: Answer,
    ) -> LoggedRequest:
        ranked = shown.ranked
        user_id = query.user_id
        if user_id is not None and self._pseudonyms is not None:
            user_id = self._pseudonyms.of(user_id)
        return LoggedRequest(
            request_id=request_id,
            at=self._now(),
            user_id=user_id,
            consent=consent,
            lang=ranked.asked.query.lang,
            query_text=redact(ranked.asked.asked),
            person_text=redact(self.judge.person_text(ranked.asked, ranked.profile)),
            items=self._items(shown),
            experiment=shown.experiment,
            design=shown.design,
            arms=self.settings.experiment.arms if shown.design else (),
            weights=shown.weights,
            arm=shown.arm,
            exposed=not ranked.judgement.degraded_because,
            degraded_because=ranked.judgement.degraded_because,
            prompt=ranked.judgement.prompt_versions.get(PROMPT, ""),
            model=answer.trace.model,
            explore=shown.explore,
            explore_depth=shown.explore_depth,
        )

    def _items(self, shown: _Shown) -> tuple[LoggedItem, ...]:
        ranked = shown.ranked
        placed = {one.candidate.item_id: (at, one) for at, one in enumerate(shown.placed, start=1)}
        read = [one.item_id for one in ranked.base[: self.settings.rerank.candidates]]
        cards = dict(self.judge.cards(read, {}))
        bins = source_bins(ranked.pool.candidates)
        items = []
        for base_rank, one in enumerate(ranked.base, start=1):
            rank, place = placed.get(one.item_id, (None, None))
            if place is None and base_rank > self.settings.log.depth:
                continue
            items.append(
                LoggedItem(
                    item_id=one.item_id,
                    base_rank=base_rank,
                    score=one.score,
                    parts=one.parts,
                    card=cards.get(one.item_id, ""),
                    bins=bins.get(one.item_id, {}),
                    log_odds=ranked.judgement.log_odds.get(one.item_id),
                    policy_rank=place.policy_rank if place else None,
                    rank=rank,
                    propensity=place.propensity if place else None,
                    team=place.team if place else "",
                )
            )
        return tuple(items)

    def _prune(self) -> None:
        now = self._now()
        with self._pruning:
            if now - self._pruned < _PRUNED_EVERY:
                return
            self._pruned = now
        self._request_log.prune(now - timedelta(days=self.settings.log.keep_days))


def _joined(first: Judgement, second: Judgement) -> Judgement:
    """What two judges said of one request, for its trace; the second's word on an item stands."""
    prompts = [j.prompt_versions[PROMPT] for j in (first, second) if PROMPT in j.prompt_versions]
    return Judgement(
        log_odds={**first.log_odds, **second.log_odds},
        degraded_because=first.degraded_because or second.degraded_because,
        prompt_versions={PROMPT: " and ".join(dict.fromkeys(prompts))} if prompts else {},
        calls=first.calls + second.calls,
        tokens=first.tokens + second.tokens,
        notes=tuple(dict.fromkeys([*first.notes, *second.notes])),
    )
