"""Questions out of a log: cut in time, pools as they would have been, S as it would have been.

T1 fits sources, T2 fits the weights of S and the prompts, T3 is tested. Nothing that a
question shows is newer than its period's beginning: sources, weights, histories and profiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.cards import (
    MAX_PROFILE_WORDS,
    first_words,
    history_text,
    item_card,
    latest_liked,
    source_bins,
)
from agent.fitting.fit import learn_fusion
from agent.fitting.labels import (
    LabelledUser,
    TemporalSplit,
    labelled_users,
    pool_for,
    split_by_time,
)
from agent.profiles.attributes import liked_items
from eval.prompt_config import PoolConfig, PromptSplit
from eval.question import Lang, PoolItem, Question
from retrieval.candidates.history import history_sources
from retrieval.errors import InvalidInput
from retrieval.fusion.score import fuse
from retrieval.fusion.weights import FusionWeights, prior_weights
from retrieval.ports import ProfileStore, Progress
from retrieval.sources.clean import detect_lang
from retrieval.types import AspectRow, Candidate, Interaction, Item, User

COLD, HEAVY = 5, 20
"""Fewer events than ``COLD`` make a cold user, more than ``HEAVY`` a heavy one."""

HEAD_SHARE = 0.2
"""The most popular fifth of the items that were touched is the head, the rest the tail."""

_SOURCES = ("behaviour", "popular")
_LABELLED = 2000
"""Users that the weights of S are learned from, at most."""

_LEARNED_FROM = 100
"""Users below which S keeps the prior: prompts are compared over a base that does not wobble."""


TEMPORAL, PUBLISHED, GIVEN = "global-temporal", "published-candidates", "given"
"""Where questions come from: a log cut in time, published lists, a file of ready ones."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions and where they come from.

    ``cuts`` are the instants between the periods; ``left_out`` counts people not asked
    about, by reason; ``weights`` says how S was weighed; ``split`` is one of the kinds above.
    """

    questions: tuple[Question, ...]
    catalogue: int
    cuts: tuple[datetime, ...]
    left_out: Mapping[str, int]
    weights: str = ""
    split: str = TEMPORAL


@dataclass(frozen=True, slots=True)
class Periods:
    """The log cut for one period: ``split.before`` may be known, ``split.after`` is asked."""

    split: TemporalSplit
    cuts: tuple[datetime, ...]


def languages_of(users: Sequence[User]) -> dict[str, Lang]:
    """What people state as their language, by user id; other languages than ours are left out."""
    found: dict[str, Lang] = {}
    for user in users:
        stated = user.attributes.get("language", user.attributes.get("lang"))
        if stated in ("en", "zh"):
            found[user.user_id] = "zh" if stated == "zh" else "en"
    return found


def cut_periods(interactions: Sequence[Interaction], split: PromptSplit) -> Periods:
    """Cut at two instants; events at an instant of a cut stay before it.

    Raises:
        InvalidInput: the shares leave nothing to learn from, or the log has too few instants.
    """
    later = split.tune_fraction + split.test_fraction
    if later >= 1:
        raise InvalidInput(
            f"tune_fraction + test_fraction = {later:g}", "leave a share to learn from: below 1"
        )
    whole = split_by_time(interactions, later)
    tune = split_by_time(whole.after, split.test_fraction / later)
    if whole.cut is None or tune.cut is None or not tune.before or not tune.after:
        raise InvalidInput(
            f"{len(interactions)} events do not spread over three periods",
            "a prompt run needs events at three instants or more",
        )
    cuts = (whole.cut, tune.cut)
    if split.period == "tune":
        return Periods(TemporalSplit(whole.cut, whole.before, tune.before), cuts)
    return Periods(TemporalSplit(tune.cut, (*whole.before, *tune.before), tune.after), cuts)


@dataclass(frozen=True)
class Told:
    """What the model is told: titles and attributes, and profiles where there are any."""

    items: Mapping[str, Item]
    profiles: ProfileStore | None = None
    cut: datetime | None = None
    languages: Mapping[str, Lang] = field(default_factory=dict)

    def person(self, user_id: str, events: Sequence[Interaction]) -> tuple[str, Lang]:
        """The profile's text, else the titles last liked; and the language of it."""
        text = ""
        if self.profiles is not None:
            profile = self.profiles.get("user", user_id)
            if profile is not None and profile.text:
                self._check(profile.as_of, f"user {user_id!r}")
                text = first_words(profile.text, MAX_PROFILE_WORDS)
        titles = [self.items[i].title for i in latest_liked(liked_items(events)) if i in self.items]
        lang = self.languages.get(user_id) or detect_lang(text or " ".join(titles))
        return text or history_text(titles, lang), lang

    def card(self, item_id: str) -> str:
        """Title, attributes and, from a profile, the strongest opinions."""
        rows: Sequence[AspectRow] = ()
        if self.profiles is not None:
            profile = self.profiles.get("item", item_id)
            if profile is not None:
                self._check(profile.as_of, f"item {item_id!r}")
                rows = profile.rows
        return item_card(self.items.get(item_id, Item(item_id, item_id)), rows)

    def _check(self, as_of: datetime, whose: str) -> None:
        if self.cut is not None and as_of > self.cut:
            raise InvalidInput(
                f"the profile of {whose} read texts until {as_of:%Y-%m-%d}, the cut is "
                f"{self.cut:%Y-%m-%d %H:%M}",
                f"build them with: palate profiles build --as-of {self.cut.isoformat()}",
            )


def questions_from_log(
    interactions: Sequence[Interaction],
    items: Sequence[Item],
    *,
    languages: Mapping[str, Lang],
    split: PromptSplit,
    pool: PoolConfig,
    profiles: ProfileStore | None,
    limit: int | None,
    seed: int,
    progress: Progress,
) -> QuestionSet:
    """One question for each person with a past and something new in the period.

    Args:
        interactions: the whole log.
        items: the catalogue.
        languages: of the people who state one; of the others it is that of what they chose.
        split: shares and which period is asked about.
        pool: widths.
        profiles: built until the cut at most; ``None`` tells titles only.
        limit: a seeded sample of at most so many people.
        seed: of the sample.
        progress: sees the stages.

    Raises:
        InvalidInput: nobody is left to ask about, or a profile saw the period.
    """
    periods = cut_periods(interactions, split)
    past = periods.split.before
    item_ids = [item.item_id for item in items]
    users = labelled_users(periods.split, frozenset(item_ids), len(interactions), seed)
    after = {event.user_id for event in periods.split.after}
    left_out = {"no history before the cut, or nothing new after it": len(after) - len(users)}
    if limit is not None and len(users) > limit:
        left_out["over the limit"] = len(users) - limit
        users = labelled_users(periods.split, frozenset(item_ids), limit, seed)
    if not users:
        raise InvalidInput(
            f"nobody of {len(after)} people in the period has a past and something new",
            "choose a larger tune_fraction or test_fraction",
        )
    weights = _weights(past, item_ids, split, pool, seed, progress)
    progress.start("fitting sources on the past", None)
    sources = history_sources(past, item_ids)
    told = Told({item.item_id: item for item in items}, profiles, periods.split.cut, languages)
    history: dict[str, list[Interaction]] = {user.user_id: [] for user in users}
    for event in past:
        if event.user_id in history:
            history[event.user_id].append(event)
    groups = _ItemGroups(past)
    progress.start("asking the sources", len(users))
    questions = []
    for user in users:
        found = pool_for(user, sources, pool.per_source)
        events = history[user.user_id]
        questions.append(_question(user, found, events, weights, told, groups, pool.judged))
        progress.advance()
    return QuestionSet(tuple(questions), len(item_ids), periods.cuts, left_out, weights.note)


def _weights(
    past: Sequence[Interaction],
    item_ids: Sequence[str],
    split: PromptSplit,
    pool: PoolConfig,
    seed: int,
    progress: Progress,
) -> FusionWeights:
    """Learned on T2 for testing on T3; the prior where T2 is asked about, or says too little."""
    if split.period == "tune":
        return prior_weights(note="the prior: the tuning period has no labels before it")
    share = split.tune_fraction / (1 - split.test_fraction)
    found = learn_fusion(
        past,
        item_ids,
        data_hash="",
        progress=progress,
        only=_SOURCES,
        per_source=pool.per_source,
        max_users=_LABELLED,
        share_after=share,
        seed=seed,
    ).certificate
    if found.trainable < _LEARNED_FROM:
        note = f"the prior: {found.trainable} users to learn from, {_LEARNED_FROM} are needed"
        return prior_weights(note=note)
    return found.weights


class _ItemGroups:
    """Head, tail or new: how often an item was taken before the cut."""

    def __init__(self, past: Sequence[Interaction]) -> None:
        counts = Counter(event.item_id for event in past)
        ordered = sorted(counts, key=lambda item: (-counts[item], item))
        self._head = frozenset(ordered[: max(1, round(len(ordered) * HEAD_SHARE))])
        self._known = frozenset(counts)

    def of(self, relevant: frozenset[str]) -> str:
        """The group of most of the items; "new" where all are."""
        names = Counter(
            "head" if item in self._head else "tail" if item in self._known else "new"
            for item in sorted(relevant)
        )
        return names.most_common(1)[0][0]


def _question(
    user: LabelledUser,
    found: Sequence[Candidate],
    events: Sequence[Interaction],
    weights: FusionWeights,
    told: Told,
    groups: _ItemGroups,
    judged: int,
) -> Question:
    person, lang = told.person(user.user_id, events)
    bins = source_bins(found)
    said = {one.item_id: one.scores_by_source for one in found}
    base = fuse(found, weights, has_query=False, history=len(user.seen))
    candidates = tuple(
        PoolItem(
            one.item_id,
            one.score,
            one.parts,
            told.card(one.item_id) if at < judged else "",
            bins[one.item_id] if at < judged else {},
            said[one.item_id],
        )
        for at, one in enumerate(base)
    )
    size = "cold" if len(events) < COLD else "heavy" if len(events) > HEAVY else "warm"
    strata = {"user": size, "item": groups.of(user.positives), "lang": lang}
    return Question(
        user.user_id, user.user_id, lang, "", person, candidates, user.positives, strata
    )
