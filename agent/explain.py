"""Reasons for a recommendation: where its score comes from, and what people wrote.

The attribution is exact. Every other sentence pairs literal quotes, cites their evidence and
passes ``agent.grounding``; one that fails is left out and counted, never repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.attribution import attribution
from agent.grounding import check_sentence
from agent.matches import POSITIVE, Match, find_matches, query_words, shared_value
from agent.wording import SENTENCES, clip_quote, frame, quoted, says, titled
from retrieval.fusion.score import FusedCandidate
from retrieval.ports import Catalog, EventLog, ProfileStore
from retrieval.types import AspectRow, Claim, Evidence, Explanation, Profile

_MAX_POSITIVE = 2
_MAX_NEGATIVE = 1
_MAX_ROWS = 60
_MAX_TITLES = 2


@dataclass(frozen=True, slots=True)
class Explained:
    """Explanations by item id, and how many sentences the validator left out."""

    explanations: Mapping[str, Explanation]
    rejected: int


@dataclass(frozen=True, slots=True)
class _Person:
    """What is known of who asks, read once a request."""

    user_id: str | None
    rows: tuple[AspectRow, ...]
    evidence: Mapping[str, Evidence]
    reviewed: Mapping[str, str]
    words: Mapping[str, str]


class Explainer:
    """Explains the ranked items of one request from the stores."""

    def __init__(self, catalog: Catalog, event_log: EventLog, profiles: ProfileStore) -> None:
        self._catalog = catalog
        self._event_log = event_log
        self._profiles = profiles

    def explain(
        self,
        ranked: Sequence[FusedCandidate],
        *,
        profile: Profile | None,
        query: str,
        lang: str,
        user_id: str | None,
    ) -> Explained:
        """One explanation for each item.

        Args:
            ranked: the items with the parts of their scores.
            profile: of the user; ``None`` for a stranger or where none was built.
            query: the words of the request; "" for none.
            lang: "en" or "zh"; quotes stay in their own language.
            user_id: who asks; ``None`` for a stranger.
        """
        person = self._person(profile, query, user_id)
        explanations: dict[str, Explanation] = {}
        rejected = 0
        for one in ranked:
            claims, failed = self._claims(one.item_id, person, lang)
            rejected += failed
            sentences = [attribution(one.parts, lang), *(claim.sentence for claim in claims)]
            text = ("" if lang == "zh" else " ").join(sentences)
            explanations[one.item_id] = Explanation(text, tuple(claims))
        return Explained(explanations, rejected)

    def _person(self, profile: Profile | None, query: str, user_id: str | None) -> _Person:
        rows = _strongest(profile.rows) if profile is not None else ()
        evidence = self._event_log.evidence_by_id(_ids(rows))
        reviewed: dict[str, str] = {}
        if user_id is not None and any(one.subject == "user" for one in evidence.values()):
            reviewed = {r.text: r.item_id for r in self._event_log.reviews(user_id=user_id)}
        return _Person(user_id, rows, evidence, reviewed, query_words(query))

    def _claims(self, item_id: str, person: _Person, lang: str) -> tuple[list[Claim], int]:
        profile = self._profiles.get("item", item_id)
        if profile is None:
            return [], 0
        rows = _strongest(profile.rows)
        about_item = {
            evidence_id: one
            for evidence_id, one in self._event_log.evidence_by_id(_ids(rows)).items()
            # What the shopper wrote about this very item is no news to them.
            if one.subject == "item"
            and one.subject_id == item_id
            and (person.user_id is None or one.author != person.user_id)
        }
        known = {**person.evidence, **about_item}
        own = own_evidence(item_id, person.user_id, person.rows, known.values())
        claims: list[Claim] = []
        used_rows: set[str] = set()
        once: set[str] = set()
        rejected = positive = negative = 0
        item_rows = [row for row in rows if set(row.evidence_ids) & about_item.keys()]
        for match in find_matches(person.rows, item_rows, person.words, known, lang):
            good = match.kind in POSITIVE
            if (match.item_row.aspect in used_rows and good) or (match.kind in once):
                continue
            if (positive >= _MAX_POSITIVE) if good else (negative >= _MAX_NEGATIVE):
                continue
            claim = self._sentence(match, person, known, lang, alone=not claims)
            if claim is None or foreign_evidence(Explanation("", (claim,)), own):
                rejected += 1
                continue
            used_rows.add(match.item_row.aspect)
            if match.kind == "value":
                once.add(match.kind)  # a list of shared attributes is no better reason
            claims.append(claim)
            positive, negative = positive + good, negative + (not good)
        return claims, rejected

    def _sentence(
        self,
        match: Match,
        person: _Person,
        known: Mapping[str, Evidence],
        lang: str,
        *,
        alone: bool,
    ) -> Claim | None:
        """The match in words with its evidence; ``None`` when it fails the check."""
        source = known[match.item_quote.evidence_id]
        authors = {known[i].author for i in match.item_row.evidence_ids if i in known}
        item_text = quoted(match.item_quote.text, lang)
        filled = {
            "word": match.word,
            "item": item_text,
            "says": says(source.kind, len(authors) > 1, item_text, lang),
        }
        cited = [source.text, match.word]
        evidence_ids = [match.item_quote.evidence_id]
        checks = [(match.item_quote.text, source.text, match.item_row.polarity)]
        key = f"{match.kind}_alone" if alone and match.kind == "disagrees" else match.kind
        if match.user_quote is not None and match.user_row is not None:
            owns = known[match.user_quote.evidence_id]
            titles = self._titles(match, person, known)
            filled["user"] = quoted(match.user_quote.text, lang)
            filled |= {
                name: titled(t, lang) for name, t in zip(("title", "title2"), titles, strict=False)
            }
            cited += [owns.text, *titles]
            evidence_ids += list(titles.values()) or [match.user_quote.evidence_id]
            checks.append((match.user_quote.text, owns.text, match.user_row.polarity))
            if match.kind == "value":
                if not titles:
                    return None
                shared = shared_value(match.user_row, match.user_quote, match.item_quote)
                filled["item"] = quoted(shared, lang)
                key = "value_two" if len(titles) == 2 else "value"
            elif not titles and f"{key}_untitled" in SENTENCES[lang]:
                key = f"{key}_untitled"
        for quote, text, polarity in checks:
            if check_sentence(clip_quote(quote), [text], polarity=polarity):
                return None
        sentence = SENTENCES[lang][key].format(**filled)
        if check_sentence(sentence, [*cited, frame(lang)]):
            return None
        return Claim(sentence, tuple(dict.fromkeys(evidence_ids)))

    def _titles(
        self, match: Match, person: _Person, known: Mapping[str, Evidence]
    ) -> dict[str, str]:
        """Titles that the user's row is about -> evidence id; two at most, none when unknown."""
        user_row, quote = match.user_row, match.user_quote
        if user_row is None or quote is None:
            return {}
        quotes = [quote, *user_row.quotes] if match.kind == "value" else [quote]
        found: dict[str, str] = {}
        for one in quotes:
            if one.evidence_id in known:
                title = self._title(known[one.evidence_id], person)
                if title and len(found) < _MAX_TITLES:
                    found.setdefault(title, one.evidence_id)
        return found

    def _title(self, source: Evidence, person: _Person) -> str:
        """Title of the item that the user's evidence is about; "" when unknown."""
        about = source.subject_id if source.subject == "item" else person.reviewed.get(source.text)
        if about is None:
            return ""
        return next((item.title for item in self._catalog.items([about])), "")


def own_evidence(
    item_id: str,
    user_id: str | None,
    user_rows: Iterable[AspectRow],
    evidence: Iterable[Evidence],
) -> frozenset[str]:
    """Ids that an explanation of this item to this user may cite.

    Evidence about the item, evidence about the user, and what the user's own profile rows
    cite: the listed attributes of items that this user took.
    """
    cited = {evidence_id for row in user_rows for evidence_id in row.evidence_ids}
    return frozenset(
        one.evidence_id
        for one in evidence
        if (one.subject == "item" and one.subject_id == item_id)
        or (one.subject == "user" and one.subject_id == user_id)
        or (one.subject == "item" and one.evidence_id in cited)
    )


def foreign_evidence(explanation: Explanation, own: frozenset[str]) -> tuple[str, ...]:
    """Ids cited by the explanation that are not among ``own``; empty when all is well."""
    return tuple(
        evidence_id
        for claim in explanation.claims
        for evidence_id in claim.evidence_ids
        if evidence_id not in own
    )


def _strongest(rows: Sequence[AspectRow]) -> tuple[AspectRow, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.strength, row.row_id))[:_MAX_ROWS])


def _ids(rows: Sequence[AspectRow]) -> list[str]:
    return list(dict.fromkeys(i for row in rows for i in row.evidence_ids))
