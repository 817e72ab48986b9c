"""Grounding: do the reasons for the first places rest on what people wrote?

The explainer checks each sentence before it lets it out. Here the sentences that came out
are checked again, from the stores and not from what the explainer had in hand, so that a
mistake on its way is seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agent.explain import Explainer, own_evidence
from agent.grounding import check_sentence, stance
from agent.stores import Stores
from agent.wording import clip_quote, frame
from eval.question import Question
from eval.records.whole import finite
from retrieval.fusion.score import FusedCandidate
from retrieval.ports import Progress
from retrieval.types import AspectRow, Claim, Evidence, Profile

TOP = 3


@dataclass(frozen=True, slots=True)
class GroundingFigures:
    """Shares of the sentences with evidence ids; NaN where there was none.

    The sentence that says where a score comes from cites nothing: it is exact by
    construction and not counted.

    Attributes:
        items: how many were explained.
        unexplained: of these, those without any sentence but where the score comes from.
        sentences: that came out.
        rejected: that the validator kept back.
        ids_exist: every id that it cites is in the event log.
        ids_own: every id is about this item, by this user, or behind this user's profile.
        supported: numbers, names and content words are in the cited texts.
        polarity_conflicts: a quote in it says the opposite of every row that it is in.
        reason: why there is nothing to measure; "" otherwise.
    """

    items: int
    unexplained: int
    sentences: int
    rejected: int
    ids_exist: float
    ids_own: float
    supported: float
    polarity_conflicts: float
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the run's record keeps it; what was not measured is ``None``."""
        record: dict[str, Any] = finite(asdict(self))
        return record


@dataclass(frozen=True, slots=True)
class _Checked:
    exist: bool
    own: bool
    supported: bool
    conflict: bool


def ground(
    explainer: Explainer,
    rankings: Sequence[tuple[Question, Sequence[FusedCandidate]]],
    stores: Stores,
    *,
    top: int = TOP,
    progress: Progress | None = None,
) -> GroundingFigures:
    """Explain the first places of every ranking and check each sentence.

    Args:
        explainer: on the same stores.
        rankings: a question and its candidates, best first.
        stores: where evidence and profiles are read.
        top: how many places are explained.
        progress: told of every question; its stage has been started.
    """
    checked: list[_Checked] = []
    items = unexplained = rejected = with_profile = 0
    for question, ranked in rankings:
        shown = ranked[:top]
        user = stores.profiles.get("user", question.user_id) if question.user_id else None
        explained = explainer.explain(
            shown,
            profile=user,
            query=question.query_text,
            lang=question.lang,
            user_id=question.user_id,
        )
        rejected += explained.rejected
        for one in shown:
            items += 1
            item = stores.profiles.get("item", one.item_id)
            with_profile += item is not None
            claims = explained.explanations[one.item_id].claims
            unexplained += not claims
            checked += [_check(stores, question, one.item_id, user, item, c) for c in claims]
        if progress is not None:
            progress.advance()
    reason = ""
    if not checked:
        reason = (
            "no question to explain" if not items
            else "no item that was ranked first has a profile" if not with_profile
            else "no profile gave a reason"
        )  # fmt: skip
    return GroundingFigures(
        items=items,
        unexplained=unexplained,
        sentences=len(checked),
        rejected=rejected,
        ids_exist=_share(one.exist for one in checked),
        ids_own=_share(one.own for one in checked),
        supported=_share(one.supported for one in checked),
        polarity_conflicts=_share(one.conflict for one in checked),
        reason=reason,
    )


def _check(
    stores: Stores,
    question: Question,
    item_id: str,
    user: Profile | None,
    item: Profile | None,
    claim: Claim,
) -> _Checked:
    cited = stores.event_log.evidence_by_id(claim.evidence_ids)
    user_rows = user.rows if user is not None else ()
    own = own_evidence(item_id, question.user_id, user_rows, cited.values())
    rows = [*user_rows, *(item.rows if item is not None else ())]
    words = [one.text for one in cited.values()]
    known = [*words, *_titles(stores, question, cited), question.query_text, frame(question.lang)]
    return _Checked(
        exist=bool(cited) and cited.keys() == set(claim.evidence_ids),
        own=set(claim.evidence_ids) <= own,
        supported=bool(words) and not check_sentence(claim.sentence, known),
        conflict=_conflict(claim, rows),
    )


def _titles(stores: Stores, question: Question, cited: Mapping[str, Evidence]) -> list[str]:
    """Of the items that the cited evidence is about: sentences name them."""
    about = {one.subject_id for one in cited.values() if one.subject == "item"}
    texts = {one.text for one in cited.values() if one.subject == "user"}
    if texts and question.user_id is not None:
        reviews = stores.event_log.reviews(user_id=question.user_id)
        about |= {review.item_id for review in reviews if review.text in texts}
    return [item.title for item in stores.catalog.items(sorted(about))]


def _conflict(claim: Claim, rows: Iterable[AspectRow]) -> bool:
    """Whether some quote in the sentence says the opposite of every row that it stands in."""
    opposite = {"like": "dislike", "dislike": "like"}
    agrees: dict[str, bool] = {}
    # As a sentence shows them: double marks inside a quote have become single ones.
    sentence = claim.sentence.replace('"', "'")
    for row in rows:
        for quote in row.quotes:
            text = clip_quote(quote.text).replace('"', "'")
            if quote.evidence_id in claim.evidence_ids and text and text in sentence:
                fits = stance(text) != opposite.get(row.polarity)
                agrees[text] = agrees.get(text, False) or fits
    return not all(agrees.values())


def _share(flags: Iterable[bool]) -> float:
    told = list(flags)
    return sum(told) / len(told) if told else math.nan
