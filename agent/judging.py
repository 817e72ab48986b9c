"""Whether to ask the language model about a request, and what it is told."""

from __future__ import annotations

from collections.abc import Sequence

from agent.cards import MAX_PROFILE_WORDS, first_words, item_card, source_bins
from agent.pool import Pool
from agent.ports import LanguageModel
from agent.profiles.attributes import liked_items
from agent.rerank import Judgement, PointwiseScorer, judge
from agent.settings import RerankSettings
from agent.understand import Understood
from retrieval.fusion.score import FusedCandidate
from retrieval.ports import Catalog, EventLog, ProfileStore
from retrieval.types import Candidate, Profile

_HISTORY_TITLES = 8
_TITLE_WORDS = 9


class Judge:
    """Lays the pool's best before the model, with what is known of the person."""

    def __init__(
        self,
        settings: RerankSettings,
        catalog: Catalog,
        event_log: EventLog,
        profiles: ProfileStore,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._event_log = event_log
        self._profiles = profiles

    def judge(
        self,
        asked: Understood,
        profile: Profile | None,
        pool: Pool,
        base: Sequence[FusedCandidate],
        model: LanguageModel | None,
    ) -> Judgement:
        """The model's log-odds for the best of ``base``; none where asking can change nothing.

        Args:
            asked: the request.
            profile: of the user, if one was built.
            pool: for the source bins of the cards.
            base: candidates in the order of S.
            model: ``None`` when none is running, which the judgement then says.
        """
        settings = self._settings
        if not asked.query.rerank or not settings.enabled:
            return Judgement(notes=("re-ranking was switched off",))
        if len(base) < 2 or settings.weight == 0:
            return Judgement()
        person = self._person_text(asked, profile)
        if not person and not asked.asked:
            return Judgement(notes=("no history and no query: nothing for the model to judge by",))
        if model is None:
            return Judgement(degraded_because="no language model is running")
        return judge(
            PointwiseScorer(model),
            profile_text=person,
            query_text=asked.asked,
            cards=self._cards(
                [one.item_id for one in base[: settings.candidates]], pool.candidates
            ),
            lang=asked.query.lang,
            deadline=settings.deadline,
        )

    def _cards(self, item_ids: Sequence[str], pool: Sequence[Candidate]) -> list[tuple[str, str]]:
        bins = source_bins(pool) if self._settings.show_bins else {}
        cards = []
        for item in self._catalog.items(item_ids):
            about = self._profiles.get("item", item.item_id)
            rows = about.rows if about is not None else ()
            cards.append((item.item_id, item_card(item, rows, bins.get(item.item_id))))
        return cards

    def _person_text(self, asked: Understood, profile: Profile | None) -> str:
        """The profile's text, else the titles last liked, else nothing."""
        if profile is not None and profile.text:
            return first_words(profile.text, MAX_PROFILE_WORDS)
        if asked.query.user_id is None:
            return ""
        liked = liked_items(self._event_log.interactions(user_id=asked.query.user_id))
        latest = sorted(liked, key=lambda item: (liked[item], item), reverse=True)[:_HISTORY_TITLES]
        titles = [first_words(item.title, _TITLE_WORDS) for item in self._catalog.items(latest)]
        if not titles:
            return ""
        return ("选过：" if asked.query.lang == "zh" else "Chose: ") + "; ".join(titles)
