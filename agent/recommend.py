"""What happens to a request: understand, gather, fuse, judge, guard, explain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from agent.explain import Explainer
from agent.gazetteer import Gazetteer
from agent.judging import Judge
from agent.pool import Pool, gather
from agent.ports import LanguageModel
from agent.rerank import PROMPT, Judgement
from agent.settings import Settings
from agent.stopwatch import Stopwatch
from agent.understand import Understood, understand
from prompts.library import PromptLibrary
from retrieval.errors import InvalidInput, NotFound, PalateError
from retrieval.fusion.guard import guarded_order
from retrieval.fusion.score import FusedCandidate, combine, fuse
from retrieval.fusion.weights import FusionWeights
from retrieval.ports import CandidateSource, Catalog, EventLog, ProfileStore
from retrieval.types import (
    Answer,
    Explanation,
    Profile,
    Query,
    Recommendation,
    Trace,
)


@dataclass(frozen=True)
class Snapshot:
    """All that is computed from the stores and shared by requests; replaced whole, never edited.

    Attributes:
        sources: fitted, in the order in which they propose.
        weights: of the fused score.
        gazetteer: the catalogue's vocabulary.
        notes: what is missing, for every trace.
    """

    sources: tuple[CandidateSource, ...]
    weights: FusionWeights
    gazetteer: Gazetteer
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ranked:
    """A request after ranking: what its answer is made from.

    Attributes:
        asked: the request as it was understood.
        profile: of the user, if one was built.
        pool: the candidates.
        base: all of them in the order of S.
        order: all of them in the order of F, within the guard.
        judgement: what the language model said.
        snapshot: what was shared when it was ranked.
        watch: the time it took.
    """

    asked: Understood
    profile: Profile | None
    pool: Pool
    base: Sequence[FusedCandidate]
    order: Sequence[FusedCandidate]
    judgement: Judgement
    snapshot: Snapshot
    watch: Stopwatch


class Recommender:
    """Answers queries. Safe to call from many threads.

    Args:
        settings: all of them.
        catalog: items and users.
        event_log: what happened.
        profiles: what is known.
        prompts: the one in production judges.
        model: the language model; ``None`` answers by the fused score alone.
        load: computes a fresh ``Snapshot`` from the stores.
        close: closes the stores.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        catalog: Catalog,
        event_log: EventLog,
        profiles: ProfileStore,
        prompts: PromptLibrary,
        model: LanguageModel | None,
        load: Callable[[], Snapshot],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.event_log = event_log
        self.profiles = profiles
        self.prompts = prompts
        self.model = model
        self._load = load
        self._close = close
        self._refreshing = threading.Lock()
        self.judge = Judge(
            settings.rerank, catalog, event_log, profiles, partial(prompts.find, PROMPT)
        )
        self._explainer = Explainer(catalog, event_log, profiles)
        self._snapshot = load()

    def recommend(self, query: Query) -> Answer:
        """The ``query.n`` best items with parts, reasons and a trace of how they came about.

        An empty answer is no error: ``trace.notes`` say why nothing is left.

        Raises:
            InvalidInput: n out of range, a condition that cannot be tested, an unknown language.
            NotFound: the user is unknown.
            StoreError: the database failed.
        """
        ranked = self.rank(query, self.judge)
        return self.answer(ranked, ranked.order[: query.n])

    def rank(self, query: Query, judge: Judge) -> Ranked:
        """The whole pool in order, before anything is explained.

        Raises:
            as ``recommend``.
        """
        now = self._snapshot  # one consistent view, whatever refresh() does meanwhile
        watch = Stopwatch()
        with watch("understand"):
            self._check(query)
            asked = understand(query, now.gazetteer)
            profile = self._profile(query.user_id)
        with watch("candidates"):
            pool = gather(
                asked,
                now.sources,
                catalog=self.catalog,
                event_log=self.event_log,
                per_source=self.settings.retrieval.pool_per_source,
            )
        with watch("fuse"):
            base = fuse(pool.candidates, now.weights, bool(asked.query.text))
        return self.rejudge(
            Ranked(asked, profile, pool, base, base, Judgement(), now, watch), judge
        )

    def rejudge(self, ranked: Ranked, judge: Judge) -> Ranked:
        """The same pool in the order that another judge gives it."""
        with ranked.watch("rerank"):
            judgement = judge.judge(
                ranked.asked, ranked.profile, ranked.pool, ranked.base, self.model
            )
            order = self._guarded(ranked.base, judgement)
        return replace(ranked, order=order, judgement=judgement)

    def answer(self, ranked: Ranked, order: Sequence[FusedCandidate]) -> Answer:
        """What is shown, in the order in which it is shown, with reasons and a trace.

        Args:
            ranked: where it comes from.
            order: candidates of ``ranked``; usually the best of ``ranked.order``.
        """
        asked, pool, judgement, now = ranked.asked, ranked.pool, ranked.judgement, ranked.snapshot
        watch = ranked.watch
        with watch("explain"):
            explanations, rejected = self._explain(order, asked, ranked.profile)
        notes = [*asked.notes, *pool.notes, *judgement.notes, *now.notes]
        if rejected:
            notes.append(f"sentences that failed the evidence check and were left out: {rejected}")
        trace = Trace(
            ranker_used="fused+llm" if judgement.log_odds else "fused",
            degraded_because="; ".join(
                [
                    *([judgement.degraded_because] if judgement.degraded_because else []),
                    *(f"source {name} failed" for name in pool.failed),
                ]
            ),
            weights_used=now.weights.kind,
            prompt_versions=judgement.prompt_versions,
            model=self.model.info.model_id if self.model is not None and judgement.calls else "",
            calls=judgement.calls,
            tokens=judgement.tokens,
            milliseconds_by_stage=watch.milliseconds,
            pool_size=len(pool.candidates),
            notes=tuple(notes),
        )
        return Answer(self._lines(order, ranked.base, explanations), trace)

    def refresh(self) -> None:
        """Compute everything that is shared anew and swap it in; requests go on meanwhile."""
        with self._refreshing:
            self._snapshot = self._load()

    def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether requests can be answered, and the state of each part in words."""
        state: dict[str, str] = {}
        try:
            counts = self.catalog.counts()
            state["database"] = "ok"
            state.update({name: str(count) for name, count in counts.items()})
        except PalateError as error:
            state["database"] = error.message
        state["sources"] = ", ".join(source.name for source in self._snapshot.sources)
        state["weights"] = self._snapshot.weights.kind
        state["model"] = self.model.info.model_id if self.model is not None else "none"
        return state["database"] == "ok", state

    def close(self) -> None:
        """Close the stores; call once nobody asks any more."""
        self._close()

    def _check(self, query: Query) -> None:
        largest = self.settings.retrieval.max_n
        if isinstance(query.n, bool) or not 1 <= query.n <= largest:
            raise InvalidInput(f"n = {query.n}", f"n is a whole number from 1 to {largest}")
        if query.user_id is None:
            return
        try:
            self.catalog.user(query.user_id)
        except NotFound as error:
            if not self.event_log.seen(query.user_id):
                raise NotFound(error.message, "leave user_id out to ask as a stranger") from error

    def _profile(self, user_id: str | None) -> Profile | None:
        return None if user_id is None else self.profiles.get("user", user_id)

    def _guarded(
        self, base: Sequence[FusedCandidate], judgement: Judgement
    ) -> list[FusedCandidate]:
        """F in the order that the guard allows; the base order when the model said nothing."""
        if not judgement.log_odds:
            return list(base)
        rerank = self.settings.rerank
        combined = {one.item_id: one for one in combine(base, judgement.log_odds, rerank.weight)}
        order = guarded_order(
            [one.item_id for one in base],
            {item_id: one.score for item_id, one in combined.items()},
            rerank.max_rise,
        )
        return [combined[item_id] for item_id in order]

    def _explain(
        self, ranked: Sequence[FusedCandidate], asked: Understood, profile: Profile | None
    ) -> tuple[Mapping[str, Explanation], int]:
        if not asked.query.explain:
            return {}, 0
        explained = self._explainer.explain(
            ranked,
            profile=profile,
            query=asked.query.text,
            lang=asked.query.lang,
            user_id=asked.query.user_id,
        )
        return explained.explanations, explained.rejected

    def _lines(
        self,
        ranked: Sequence[FusedCandidate],
        base: Sequence[FusedCandidate],
        explanations: Mapping[str, Explanation],
    ) -> tuple[Recommendation, ...]:
        ids = [one.item_id for one in ranked]
        titles = {item.item_id: item.title for item in self.catalog.items(ids)}
        base_rank = {one.item_id: at for at, one in enumerate(base, start=1)}
        return tuple(
            Recommendation(
                item_id=one.item_id,
                title=titles.get(one.item_id) or one.item_id,
                rank=rank,
                score=one.score,
                parts=one.parts,
                explanation=explanations.get(one.item_id),
                base_rank=base_rank[one.item_id],
            )
            for rank, one in enumerate(ranked, start=1)
        )
