"""Whether to ask the language model about a request, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.cards import (
    MAX_PROFILE_WORDS,
    first_words,
    history_text,
    item_card,
    latest_liked,
    source_bins,
)
from agent.pool import Pool
from agent.ports import LanguageModel
from agent.profiles.attributes import liked_items
from agent.rerank import Judgement, PointwiseScorer, judge
from agent.settings import RerankSettings
from agent.understand import Understood
from prompts.prompt import Prompt
from retrieval.fusion.score import FusedCandidate
from retrieval.ports import Catalog, EventLog, ProfileStore
from retrieval.types import Profile


class Judge:
    """Lays the pool's best before the model, with what is known of the person.

    Args:
        settings: how many, how long, how much.
        catalog: titles and attributes.
        event_log: what the person chose.
        profiles: what is known.
        prompt_for: the prompt ``rerank`` for a language.
    """

    def __init__(
        self,
        settings: RerankSettings,
        catalog: Catalog,
        event_log: EventLog,
        profiles: ProfileStore,
        prompt_for: Callable[[str], Prompt],
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._event_log = event_log
        self._profiles = profiles
        self._prompt_for = prompt_for

    @property
    def prompt_version(self) -> str:
        """Of the prompt that it judges by, e.g. ``rerank@1``."""
        return self._prompt_for("en").version

    def judge(
        self,
        asked: Understood,
        profile: Profile | None,
        pool: Pool,
        base: Sequence[FusedCandidate],
        model: LanguageModel | None,
        weight: float,
    ) -> Judgement:
        """The model's log-odds for the best of ``base``; none where asking can change nothing.

        Args:
            asked: the request.
            profile: of the user, if one was built.
            pool: for the source bins of the cards.
            base: candidates in the order of S.
            model: ``None`` when none is running, which the judgement then says.
            weight: λ; at 0 the gate is closed, or the settings say so.
        """
        settings = self._settings
        if not asked.query.rerank or not settings.enabled:
            return Judgement(notes=("re-ranking was switched off",))
        if weight == 0:
            return Judgement(notes=("the language model counts for nothing here: λ is 0",))
        if len(base) < 2:
            return Judgement()
        person = self.person_text(asked, profile)
        if not person and not asked.asked:
            return Judgement(notes=("no history and no query: nothing for the model to judge by",))
        if model is None:
            return Judgement(degraded_because="no language model is running")
        return judge(
            PointwiseScorer(model, self._prompt_for),
            profile_text=person,
            query_text=asked.asked,
            cards=self.cards(
                [one.item_id for one in base[: settings.candidates]],
                source_bins(pool.candidates) if settings.show_bins else {},
            ),
            lang=asked.query.lang,
            deadline=settings.deadline,
        )

    def cards(
        self, item_ids: Sequence[str], bins: Mapping[str, Mapping[str, str]]
    ) -> list[tuple[str, str]]:
        """Item id and what the model reads of it; ``bins`` are shown where they are given."""
        cards = []
        for item in self._catalog.items(item_ids):
            about = self._profiles.get("item", item.item_id)
            rows = about.rows if about is not None else ()
            cards.append((item.item_id, item_card(item, rows, bins.get(item.item_id))))
        return cards

    def person_text(self, asked: Understood, profile: Profile | None) -> str:
        """The profile's text, else the titles last liked, else nothing."""
        if profile is not None and profile.text:
            return first_words(profile.text, MAX_PROFILE_WORDS)
        if asked.query.user_id is None:
            return ""
        liked = liked_items(self._event_log.interactions(user_id=asked.query.user_id))
        latest = self._catalog.items(latest_liked(liked))
        return history_text([item.title for item in latest], asked.query.lang)
