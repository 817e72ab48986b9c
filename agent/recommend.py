"""What happens to a request: understand, gather, fuse, judge, guard, arrange, explain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from agent.arrange import arrange_list
from agent.asker import asker_of
from agent.explain import Explainer
from agent.fitting.live import Follower
from agent.judging import Judge
from agent.pages import (
    KeptLists,
    Listed,
    cursor_at,
    fingerprint,
    read_cursor,
    shown_hash,
)
from agent.pool import gather
from agent.ports import LanguageModel
from agent.ranked import Ranked, Snapshot
from agent.rerank import PROMPT, Judgement
from agent.settings import Settings
from agent.stopwatch import Stopwatch
from agent.understand import Understood, understand
from prompts.library import PromptLibrary
from retrieval.errors import PalateError
from retrieval.fusion.guard import guarded_order
from retrieval.fusion.score import FusedCandidate, combine, fuse
from retrieval.fusion.weights import FusionWeights, llm_key
from retrieval.ports import Catalog, EventLog, ProfileStore
from retrieval.rules.rules import Asker
from retrieval.types import (
    Answer,
    Explanation,
    Profile,
    Query,
    Recommendation,
    Trace,
)


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
        follower: notices a newer fit; ``None`` = fits are taken up by ``refresh`` only.
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
        follower: Follower | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.event_log = event_log
        self.profiles = profiles
        self.prompts = prompts
        self.model = model
        self._load = load
        self._follower = follower
        self._close = close
        self._refreshing = threading.Lock()
        self.judge = Judge(
            settings.rerank, catalog, event_log, profiles, partial(prompts.find, PROMPT)
        )
        self._explainer = Explainer(catalog, event_log, profiles)
        retrieval = settings.retrieval
        self._lists = KeptLists(retrieval.pages_mb * 2**20, retrieval.pages_minutes * 60)
        self._snapshot = load()

    def recommend(self, query: Query) -> Answer:
        """The ``query.n`` best items with parts, reasons and a trace of how they came about.

        An empty answer is no error: ``trace.notes`` say why nothing is left.

        Raises:
            InvalidInput: n, region, age, diversity or cursor cannot be used, a condition cannot
                be tested, an unknown language.
            NotFound: the user is unknown.
            StoreError: the database failed.
        """
        if query.cursor:
            return self._next_page(query)
        return self.page(self.listed(query))

    def listed(self, query: Query, list_id: str = "") -> Listed:
        """The whole list that a request's pages are cut from; ``list_id``: to make it again."""
        return self.list_of(self.rank(query, self.judge))

    def rank(self, query: Query, judge: Judge) -> Ranked:
        """The whole pool in order, before anything is arranged or explained.

        Raises:
            as ``recommend``.
        """
        now = self._snapshot  # one consistent view, whatever refresh() does meanwhile
        watch = Stopwatch()
        with watch("understand"):
            asker = self._asker(query)
            asked = understand(query, now.gazetteer)
            profile = self._profile(query.user_id)
        with watch("candidates"):
            allowed = now.shelf.filters.allowed(asker)
            pool = gather(
                asked,
                now.sources,
                catalog=self.catalog,
                event_log=self.event_log,
                per_source=self.settings.retrieval.pool_per_source,
                rules=allowed,
                pinned=now.shelf.rules.for_request(asker).pinned,
            )
        with watch("fuse"):
            base = fuse(pool.candidates, now.weights, bool(asked.query.text), pool.history)
        ranked = Ranked(
            query,
            asked,
            asker,
            profile,
            pool,
            base,
            order=base,
            judgement=Judgement(),
            snapshot=now,
            watch=watch,
            filtered=allowed.sentences,
        )
        return self.rejudge(ranked, judge)

    def rejudge(self, ranked: Ranked, judge: Judge) -> Ranked:
        """The same pool in the order that another judge gives it."""
        with ranked.watch("rerank"):
            weight = self._llm_weight(ranked.snapshot.weights, judge)
            judgement = judge.judge(
                ranked.asked, ranked.profile, ranked.pool, ranked.base, self.model, weight
            )
            order = self._guarded(ranked.base, judgement, weight)
        return replace(ranked, order=order, judgement=judgement)

    def list_of(self, ranked: Ranked) -> Listed:
        """``ranked.order`` without near-duplicates, as mixed as asked for, by the shop's rules."""
        asked, pool, judgement, now = ranked.asked, ranked.pool, ranked.judgement, ranked.snapshot
        settings = self.settings.retrieval
        wanted = ranked.query.diversity
        with ranked.watch("arrange"):
            arranged = arrange_list(
                ranked.order,
                items_of=self.catalog.items,
                rules=now.shelf.rules.for_request(ranked.asker),
                vectors=now.shelf.vectors,
                settings=settings,
                diversity=settings.diversity if wanted is None else wanted,
                n=ranked.query.n,
            )
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
            milliseconds_by_stage=ranked.watch.milliseconds,
            pool_size=len(pool.candidates),
            notes=(*asked.notes, *pool.notes, *judgement.notes, *now.notes),
            rules=(*ranked.filtered, *arranged.sentences),
            trade_off=arranged.trade_off,
        )
        sent = fingerprint(ranked.query)
        return Listed(
            list_id=shown_hash([sent, *(one.item_id for one in arranged.order)]),
            asked=asked,
            query=sent,
            profile=ranked.profile,
            order=arranged.order,
            base_rank={one.item_id: at for at, one in enumerate(ranked.base, start=1)},
            into=arranged.into,
            trace=trace,
            free=arranged.free,
        )

    def page(
        self,
        listed: Listed,
        start: int = 0,
        kept: frozenset[str] | None = None,
        notes: Sequence[str] = (),
    ) -> Answer:
        """One page of a list, with reasons, and the cursor of the next.

        Args:
            listed: the list; its query says how long a page is.
            start: places that were shown before.
            kept: what may still be shown; ``None`` = all of it.
            notes: for the trace.
        """
        places = [
            place
            for place in range(start, len(listed.order))
            if kept is None or listed.order[place].item_id in kept
        ]
        n = listed.asked.query.n
        shown = {place + 1: listed.order[place] for place in places[:n]}
        end = places[n] if len(places) > n else len(listed.order)
        watch = Stopwatch()
        with watch("explain"):
            explanations, rejected = self._explain(
                list(shown.values()), listed.asked, listed.profile
            )
        said = [*listed.trace.notes, *notes]
        if gone := max(end - start, 0) - len(shown):
            said.append(f"no longer allowed since the first page, and left out: {gone}")
        if rejected:
            said.append(f"sentences that failed the evidence check and were left out: {rejected}")
        trace = replace(
            listed.trace,
            notes=tuple(said),
            milliseconds_by_stage={**listed.trace.milliseconds_by_stage, **watch.milliseconds},
        )
        cursor = ""
        if end < len(listed.order):
            self._lists.keep(listed)
            cursor = str(cursor_at(listed, end))
        return Answer(self._lines(shown, listed, explanations), trace, cursor)

    def refresh(self) -> None:
        """Compute everything that is shared anew and swap it in; requests go on meanwhile."""
        with self._refreshing:
            self._snapshot = self._load()

    def follow(self) -> None:
        """Have a newer fit swapped in, in the background; costs a stat call once a second."""
        if self._follower is not None:
            self._follower.look(self.refresh)

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
        if self._follower is not None and (fit := self._follower.state()):
            state["fit"] = fit
        return state["database"] == "ok", state

    def close(self) -> None:
        """Close the stores; call once nobody asks any more."""
        if self._follower is not None:
            self._follower.close()
        self._close()

    def _next_page(self, query: Query) -> Answer:
        asker = self._asker(query)
        cursor = read_cursor(query.cursor, query)
        listed = self._lists.get(cursor.list_id)
        if listed is None or listed.query != cursor.query:
            listed = self.listed(query, cursor.list_id)
            note = "the list of the first page is no longer kept: it was ranked anew"
            if shown_hash(listed.ids[: cursor.start]) != cursor.shown:
                note += ", and came out otherwise: items may come twice or be missing"
            return self.page(listed, cursor.start, notes=(note,))
        asked = replace(
            listed.asked, query=replace(listed.asked.query, n=query.n, explain=query.explain)
        )
        listed = replace(listed, asked=asked, profile=self._profile(query.user_id))
        # What was sold out or restricted meanwhile is not shown for having been listed before.
        kept = self._snapshot.shelf.filters.allowed(asker).kept
        return self.page(listed, cursor.start, kept)

    def _asker(self, query: Query) -> Asker:
        return asker_of(query, self.catalog, self.event_log, self.settings.retrieval.max_n)

    def _profile(self, user_id: str | None) -> Profile | None:
        return None if user_id is None else self.profiles.get("user", user_id)

    def _llm_weight(self, weights: FusionWeights, judge: Judge) -> float:
        """λ: what a fit found for this model and prompt, else the setting."""
        usual = self.settings.rerank.weight
        if self.model is None or not weights.llm:
            return usual
        return weights.llm.get(llm_key(self.model.info.model_id, judge.prompt_version), usual)

    def _guarded(
        self, base: Sequence[FusedCandidate], judgement: Judgement, weight: float
    ) -> list[FusedCandidate]:
        """F in the order that the guard allows; the base order when the model said nothing."""
        if not judgement.log_odds:
            return list(base)
        rerank = self.settings.rerank
        combined = {one.item_id: one for one in combine(base, judgement.log_odds, weight)}
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
        shown: Mapping[int, FusedCandidate],
        listed: Listed,
        explanations: Mapping[str, Explanation],
    ) -> tuple[Recommendation, ...]:
        ids = [one.item_id for one in shown.values()]
        titles = {item.item_id: item.title for item in self.catalog.items(ids)}
        return tuple(
            Recommendation(
                item_id=one.item_id,
                title=titles.get(one.item_id) or one.item_id,
                rank=rank,
                score=one.score,
                parts=one.parts,
                explanation=explanations.get(one.item_id),
                base_rank=listed.base_rank[one.item_id],
                collapsed=listed.into.get(one.item_id, ()),
            )
            for rank, one in shown.items()
        )
