"""Reasons cite evidence of this person or this item, literally, or are not given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.explain import Explained, Explainer, foreign_evidence, own_evidence
from agent.matches import shared_value
from agent.settings import Settings
from agent.stores import Stores, open_stores
from retrieval.fusion.score import FusedCandidate
from retrieval.types import Claim, Evidence, Explanation, Quote
from tests.agent.recommending.shop import EPOCH, ITEMS, aspect_row


@pytest.fixture
def stores(filled: Settings) -> Iterator[Stores]:
    with open_stores(filled) as opened:
        yield opened


def explain(
    stores: Stores, item_id: str, *, user: str | None = None, query: str = "", lang: str = "en"
) -> Explained:
    return Explainer(stores.catalog, stores.event_log, stores.profiles).explain(
        [FusedCandidate(item_id, 1.0, {"behaviour": 1.0})],
        profile=stores.profiles.get("user", user) if user else None,
        query=query,
        lang=lang,
        user_id=user,
    )


def sentences(stores: Stores, item_id: str, **asked: str) -> list[str]:
    return [c.sentence for c in explain(stores, item_id, **asked).explanations[item_id].claims]  # type: ignore[arg-type]


def test_what_the_user_wrote_meets_what_buyers_say(stores: Stores) -> None:
    assert sentences(stores, "k1", user="ann")[0] == (
        'You wrote "I need a quiet motor" about Electric grinder; '
        'a buyer of this one says "hardly any noise".'
    )


def test_what_speaks_against_an_item_is_said_too(stores: Stores) -> None:
    assert sentences(stores, "k1", user="ann")[-1] == (
        'On the other hand, a buyer of this one says "The lid is loose".'
    )


def test_a_fault_alone_is_no_other_hand(stores: Stores) -> None:
    assert sentences(stores, "k1") == [
        'One thing to know: a buyer of this one says "The lid is loose".'
    ]


def test_words_of_asking_are_no_reason(stores: Stores) -> None:
    assert not any("something" in s for s in sentences(stores, "g1", query="I want something"))


def test_two_items_that_share_a_value_are_both_named_and_cited(stores: Stores) -> None:
    profile = stores.profiles.get("user", "ann")
    assert profile is not None
    both = aspect_row(
        "ann", "kind", "like",
        [("attribute:t1:kind", "kind: tea"), ("attribute:t2:kind", "kind: tea")],
    )  # fmt: skip
    stores.profiles.put(type(profile)("user", "ann", (both,), (), EPOCH, "v2"))
    (claim,) = explain(stores, "t3", user="ann").explanations["t3"].claims
    assert claim.sentence == (
        'You chose Green tea and 茉莉花茶, which share "kind: tea" with this one.'
    )
    assert set(claim.evidence_ids) == {
        "attribute:t1:kind", "attribute:t2:kind", "attribute:t3:kind",
    }  # fmt: skip


def test_of_a_list_the_preferred_entry_is_named() -> None:
    preferred = aspect_row("ann", "taste = cocoa", "like", [("e1", "taste: cocoa, mellow")])
    row = replace(preferred, label="taste: cocoa")
    quote = row.quotes[0]
    assert shared_value(row, quote, Quote("e2", "Taste: herbal, Cocoa")) == "Taste: Cocoa"
    assert shared_value(row, quote, Quote("e2", "taste: herbal")) == ""
    assert shared_value(row, quote, Quote("e2", "aroma: cocoa")) == ""
    assert shared_value(row, quote, quote) == "taste: cocoa, mellow"


def test_a_shared_attribute_names_the_item_that_was_taken(stores: Stores) -> None:
    assert sentences(stores, "t3", user="ann") == [
        'You chose Green tea, which shares "kind: tea" with this one.'
    ]


def test_a_stranger_gets_what_concerns_the_words_of_the_request(stores: Stores) -> None:
    said = sentences(stores, "g1", query="something quiet for coffee")
    assert said[0] == 'You asked for quiet: a buyer of this one says "quiet and sturdy".'
    assert 'You asked for glass: it is listed as "material: glass".' in sentences(
        stores, "k3", query="a glass kettle"
    )


def test_reasons_are_in_chinese_when_the_request_is(stores: Stores) -> None:
    said = sentences(stores, "t4", query="清新的茶", lang="zh")
    assert said[0].startswith("你想要“清新”：")
    text = explain(stores, "t4", query="清新的茶", lang="zh").explanations["t4"].text
    assert text.startswith("总分中100% 来自行为与你相似的人。")


def test_nobody_is_told_what_they_wrote_about_the_item_itself(stores: Stores) -> None:
    for claim in explain(stores, "t4", user="eva", lang="zh").explanations["t4"].claims:
        assert "review:r7:item" not in claim.evidence_ids


def test_without_a_profile_of_the_item_the_attribution_stands_alone(stores: Stores) -> None:
    explained = explain(stores, "nothing known", user="ann")
    assert explained.explanations["nothing known"].claims == ()
    assert explained.explanations["nothing known"].text.startswith("Of the score, 100 %")


def test_evidence_that_was_erased_is_not_quoted(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stores.event_log.evidence_by_id
    monkeypatch.setattr(
        stores.event_log,
        "evidence_by_id",
        lambda ids: {k: v for k, v in whole(ids).items() if not k.startswith("review:r2")},
    )
    assert not any("hardly any noise" in s for s in sentences(stores, "k1", user="ann"))


def test_a_quote_that_is_not_in_its_evidence_is_left_out(stores: Stores) -> None:
    profile = stores.profiles.get("item", "k1")
    assert profile is not None
    forged = aspect_row("k1", "noise", "like", [("review:r2:item", "the best kettle ever, silent")])
    stores.profiles.put(type(profile)("item", "k1", (forged,), (), EPOCH, "v2"))
    assert sentences(stores, "k1", user="ann") == []


def test_a_quote_whose_polarity_does_not_agree_is_left_out_and_counted(stores: Stores) -> None:
    profile = stores.profiles.get("item", "k1")
    assert profile is not None
    wrong = aspect_row("k1", "noise", "like", [("review:r3:item", "The lid is loose and it leaks")])
    stores.profiles.put(type(profile)("item", "k1", (wrong,), (), EPOCH, "v2"))
    explained = explain(stores, "k1", user="ann")
    assert explained.explanations["k1"].claims == ()
    assert explained.rejected == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_claim_of_every_pair_cites_its_own_and_quotes_literally(
    stores: Stores, lang: str
) -> None:
    for user in ("ann", "eva", None):
        profile = stores.profiles.get("user", user) if user else None
        rows = profile.rows if profile else ()
        for item in ITEMS:
            made = explain(
                stores, item.item_id, user=user, query="quiet glass tea 清新 香味", lang=lang
            )  # type: ignore[arg-type]
            explanation = made.explanations[item.item_id]
            ids = [i for claim in explanation.claims for i in claim.evidence_ids]
            known = stores.event_log.evidence_by_id(ids)
            own = own_evidence(item.item_id, user, rows, known.values())
            assert foreign_evidence(explanation, own) == ()
            for claim in explanation.claims:
                assert claim.sentence in explanation.text
                cited = "\n".join(known[i].text for i in claim.evidence_ids).casefold()
                for quote in re.findall(r'"([^"]+)"|“([^”]+)”：?', claim.sentence):
                    words = (quote[0] or quote[1]).removesuffix("…").casefold()
                    assert words in cited or claim.sentence.startswith("你想要“")


def _evidence(evidence_id: str, subject: str, subject_id: str) -> Evidence:
    return Evidence(evidence_id, subject, subject_id, "review", "t", "en", "", EPOCH, 1.0, "")  # type: ignore[arg-type]


IDS = st.sampled_from(["ann", "bob", "k1", "k2"])


@given(
    st.lists(st.tuples(st.sampled_from(["user", "item"]), IDS), max_size=8),
    st.lists(st.integers(0, 9), max_size=6),
)
def test_an_explanation_with_anybody_elses_evidence_is_recognised(
    owners: list[tuple[str, str]], cited: list[int]
) -> None:
    evidence = [_evidence(f"e{n}", *owner) for n, owner in enumerate(owners)]
    own = own_evidence("k1", "ann", (), evidence)
    explanation = Explanation("", (Claim("s", tuple(f"e{n}" for n in cited)),))
    expected = [
        f"e{n}"
        for n in cited
        if n >= len(owners) or owners[n] not in (("user", "ann"), ("item", "k1"))
    ]
    assert list(foreign_evidence(explanation, own)) == expected
