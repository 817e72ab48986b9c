"""The words of the system as immutable values; no I/O, no framework.

Times are timezone-aware UTC ``datetime``. Ids are any non-empty text of at most
``MAX_ID_LENGTH`` characters: slashes, spaces and emoji included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

MAX_ID_LENGTH = 1000

Subject = Literal["user", "item"]
InteractionKind = Literal["view", "click", "cart", "purchase", "like", "dislike", "rating"]
EvidenceKind = Literal["review", "attribute", "caption", "transcript", "page", "post", "event"]
Polarity = Literal["like", "dislike", "need", "price", "context"]
AttributeValue = str | float | bool | tuple[str, ...]


def content_hash(*parts: str) -> str:
    """SHA-256 (64 hex digits) of the parts, length-prefixed so that joins cannot collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be recommended. ``media`` holds image paths, relative to the data set."""

    item_id: str
    title: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """Somebody to recommend to."""

    user_id: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interaction:
    """One event. ``value`` is the rating for ``kind="rating"``, else a weight (1.0)."""

    user_id: str
    item_id: str
    kind: InteractionKind
    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Review:
    """What one user wrote about one item; ``rating`` is ``None`` where none was given."""

    review_id: str
    user_id: str
    item_id: str
    text: str
    rating: float | None
    at: datetime
    lang: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A text that says something about an item or a user; every modality yields these.

    A review is evidence about its item *and* about its author: one row each in the
    event log, same ``text`` and ``sha256``, different ``subject``.
    ``trust`` is in [0, 1]; ``sha256`` is that of the text; ``author`` is "" when nobody's.
    """

    evidence_id: str
    subject: Subject
    subject_id: str
    kind: EvidenceKind
    text: str
    lang: str
    author: str
    at: datetime
    trust: float
    sha256: str


@dataclass(frozen=True, slots=True)
class Quote:
    """The exact words of one evidence that a row rests on."""

    evidence_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AspectRow:
    """One line of a profile: what is known of one aspect, and where it stands.

    ``strength`` >= 0 is Σ exp(-age/τ)·trust over authors; ``n`` counts evidence.
    ``aspect`` is the normalised key; ``label`` is how it reads in ``lang``.
    """

    row_id: str
    aspect: str
    label: str
    polarity: Polarity
    strength: float
    n: int
    first_at: datetime
    last_at: datetime
    lang: str
    quotes: tuple[Quote, ...]

    @property
    def evidence_ids(self) -> tuple[str, ...]:
        """Ids of the evidence behind the row, in order."""
        return tuple(quote.evidence_id for quote in self.quotes)


@dataclass(frozen=True, slots=True)
class ProfileSentence:
    """One validated sentence of a profile text with the rows that support it."""

    text: str
    row_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one user or item, rows first and prose second.

    ``version`` is a SHA-256 over evidence hashes, prompt hashes, model and cut-off.
    ``as_of`` is the cut-off: nothing newer was read.
    """

    subject: Subject
    subject_id: str
    rows: tuple[AspectRow, ...]
    sentences: tuple[ProfileSentence, ...]
    as_of: datetime
    version: str
    written_by: Literal["llm", "template"] = "template"

    @property
    def text(self) -> str:
        """The text that is embedded and stored in the vector index."""
        return " ".join(sentence.text for sentence in self.sentences)


Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "contains"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A hard condition on an attribute; an item that lacks the attribute fails it.

    ``contains`` tests membership in a list attribute or a substring of a text one
    (case-folded). ``field`` may also be ``item_id`` or ``title``.
    """

    field: str
    op: Operator
    value: str | float | bool | tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One request. A stranger has ``user_id=None``; a silent user has ``text=""``.

    ``lang`` is the language of the answer, "en" or "zh"; "" = that of the text.
    ``log``: whether whoever asks lets the request be kept; ``None`` = nobody asked them.
    ``region`` and ``age`` (years) are what the shop's rules go by; where they are not given
    the user's attributes stand. ``diversity`` in [0, 1], ``None`` = as set. ``cursor`` asks for
    the page after the one that named it.
    """

    text: str = ""
    user_id: str | None = None
    constraints: tuple[Constraint, ...] = ()
    n: int = 10
    include_seen: bool = False
    explain: bool = True
    lang: str = ""
    rerank: bool = True
    log: bool | None = None
    region: str = ""
    age: float | None = None
    diversity: float | None = None
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item of the pool with the raw score of every source that returned it."""

    item_id: str
    scores_by_source: Mapping[str, float]
    fused: float = 0.0


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """An item and the score that one source gave it."""

    item_id: str
    score: float


Ranking = Sequence[ScoredItem]


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an explanation and the evidence it rests on."""

    sentence: str
    evidence_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Reasons for one recommendation; ``claims`` passed the validator, all of them."""

    text: str
    claims: tuple[Claim, ...]
    by: Literal["template", "llm"] = "template"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One line of the answer. ``sum(parts.values()) == score`` exactly (``math.fsum``).

    ``collapsed`` are ids of near-duplicates that are not shown because this item is.
    """

    item_id: str
    title: str
    rank: int
    score: float
    parts: Mapping[str, float]
    explanation: Explanation | None
    base_rank: int
    collapsed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TradeOff:
    """What diversity cost the first page, and what it bought, before rules move anything.

    Attributes:
        diversity: that was asked for, in (0, 1].
        relevance_kept: scores of the page over those of the n best, both counted from the
            lowest score of the list; in [0, 1].
        before: intra-list diversity of the n best, in [0, 1].
        after: of the page.
    """

    diversity: float
    relevance_kept: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Trace:
    """How the answer came about.

    ``ranker_used`` is "fused" or "fused+llm"; ``degraded_because`` is "" when nothing
    was skipped that was asked for. ``weights_used`` is "learned" or "prior". ``rules`` says
    what each business rule and the collapsing of near-duplicates did to the list.
    """

    ranker_used: str
    degraded_because: str
    weights_used: str
    prompt_versions: Mapping[str, str]
    model: str
    calls: int
    tokens: int
    milliseconds_by_stage: Mapping[str, float]
    pool_size: int
    notes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    trade_off: TradeOff | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What ``Recommender.recommend`` returns; ``next_cursor`` is "" on the last page."""

    recommendations: tuple[Recommendation, ...]
    trace: Trace
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class LoggedItem:
    """One candidate of a logged request: what S said of it, and whether it was shown.

    Attributes:
        base_rank: from 1, in the order of S.
        score: S; ``math.fsum(parts.values()) == score``.
        card: what the language model reads of it; "" where it was not laid before it.
        bins: what each source says of it in five levels, e.g. ``{"behaviour": "4/5"}``.
        log_odds: what the model said; ``None`` where it said nothing.
        policy_rank: from 1, where the ranking put it before anything was shuffled;
            ``None`` below what was shown.
        rank: from 1, where it was shown; ``None`` = it was not.
        propensity: probability in (0, 1] with which it stands at ``rank``, given the request
            and the arm; ``None`` where it was not shown or teams were drawn.
        team: the arm that put it there, in interleaving; "" otherwise.
    """

    item_id: str
    base_rank: int
    score: float
    parts: Mapping[str, float]
    card: str = ""
    bins: Mapping[str, str] = field(default_factory=dict)
    log_odds: float | None = None
    policy_rank: int | None = None
    rank: int | None = None
    propensity: float | None = None
    team: str = ""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request that somebody allowed to be kept, with what was answered.

    Texts are redacted and ``user_id`` may be a pseudonym before it gets here.

    Attributes:
        consent: "asked" when this request said yes, "assumed" when nobody said no.
        person_text: what the model is told of the person; "" for a stranger.
        items: the best of the pool, best S first; all that were shown are among them.
        experiment: its name; "" = none was running.
        design: "ab" or "interleave"; "" without an experiment.
        arms: all of them, baseline first.
        weights: share of users of each arm; empty in interleaving.
        arm: to which the user is assigned; "" in interleaving, where everybody sees both.
        exposed: the answer was really made the way ``arm`` says.
        degraded_because: why not; "" otherwise.
        prompt: that the model was asked with, e.g. "rerank@1"; "" when it was not asked.
        model: its id; "" when it was not asked.
        explore: probability that the first ``explore_depth`` places were shuffled.
    """

    request_id: str
    at: datetime
    user_id: str | None
    consent: Literal["asked", "assumed"]
    lang: str
    query_text: str
    person_text: str
    items: tuple[LoggedItem, ...]
    experiment: str = ""
    design: Literal["", "ab", "interleave"] = ""
    arms: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    arm: str = ""
    exposed: bool = True
    degraded_because: str = ""
    prompt: str = ""
    model: str = ""
    explore: float = 0.0
    explore_depth: int = 0

    @property
    def shown(self) -> tuple[LoggedItem, ...]:
        """The items of the answer, best first; empty for an empty answer."""
        seen = [item for item in self.items if item.rank is not None]
        return tuple(sorted(seen, key=lambda item: item.rank or 0))


Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Ranking]
