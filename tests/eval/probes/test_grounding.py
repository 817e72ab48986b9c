"""Reasons are checked again, from the stores: honest ones pass, made up ones are told apart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.explain import Explained, Explainer
from agent.settings import EmbedSettings, LLMSettings, Settings, StoreSettings
from agent.stores import Stores, open_stores
from eval.probes.grounding import GroundingFigures, ground
from eval.question import Lang, PoolItem, Question
from retrieval.fusion.score import FusedCandidate
from retrieval.types import Claim, Explanation
from tests.agent.recommending.shop import fill, profiles
from tests.eval.probes.asking import Counting

HONEST = Claim(
    'You wrote "I need a quiet motor" about Electric grinder; '
    'a buyer of this one says "hardly any noise".',
    ("review:r2:item", "review:r1:user"),
)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Stores]:
    settings = Settings(
        store=StoreSettings(home=tmp_path / "home"),
        llm=LLMSettings(model="none"),
        embed=EmbedSettings(model="words"),
    )
    with open_stores(settings) as stores:
        fill(stores, with_profiles=False)
        yield stores


@pytest.fixture
def stores(bare: Stores) -> Stores:
    for profile in profiles():
        bare.profiles.put(profile)
    return bare


class Says:
    """An explainer that gives one sentence for every item, whatever is known."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def explain(self, ranked: Sequence[FusedCandidate], **_: object) -> Explained:
        return Explained({one.item_id: Explanation("", (self._claim,)) for one in ranked}, 2)


def asked(
    *item_ids: str, user: str | None = "ann", query: str = "", lang: Lang = "en"
) -> tuple[Question, list[FusedCandidate]]:
    ranked = [FusedCandidate(item_id, 1.0, {"behaviour": 1.0}) for item_id in item_ids]
    pool = tuple(PoolItem(one.item_id, one.score, one.parts) for one in ranked)
    return Question("q", user, lang, query, "", pool, frozenset({"k1"})), ranked


def real(stores: Stores) -> Explainer:
    return Explainer(stores.catalog, stores.event_log, stores.profiles)


def told(stores: Stores, claim: Claim, item_id: str = "k1") -> GroundingFigures:
    return ground(Says(claim), [asked(item_id)], stores)  # type: ignore[arg-type]


def test_what_the_explainer_says_is_grounded(stores: Stores) -> None:
    progress = Counting()
    figures = ground(
        real(stores),
        [
            asked("k1", "g1", "t3"),
            asked("t4", "t2", user="eva", lang="zh"),
            asked("k1", user=None, query="a quiet kettle"),
        ],
        stores,
        progress=progress,
    )
    assert figures.sentences >= 5
    assert (figures.ids_exist, figures.ids_own, figures.supported) == (1, 1, 1)
    assert figures.polarity_conflicts == 0
    assert (figures.items, figures.reason) == (6, "")
    assert progress.done == 3


def test_only_the_first_places_are_explained(stores: Stores) -> None:
    assert ground(real(stores), [asked("k1", "k2", "k3", "g1", "g2")], stores).items == 3


def test_an_honest_sentence_passes(stores: Stores) -> None:
    figures = told(stores, HONEST)
    assert (figures.ids_exist, figures.ids_own, figures.supported) == (1, 1, 1)
    assert (figures.polarity_conflicts, figures.rejected) == (0, 2)


def test_an_id_that_does_not_exist_is_seen(stores: Stores) -> None:
    figures = told(stores, Claim(HONEST.sentence, (*HONEST.evidence_ids, "review:r99:item")))
    assert (figures.ids_exist, figures.ids_own) == (0, 0)


def test_an_id_of_somebody_else_is_seen(stores: Stores) -> None:
    figures = told(stores, Claim('A buyer of this one says "香味浓郁".', ("review:r6:item",)))
    assert (figures.ids_exist, figures.ids_own) == (1, 0)


def test_words_that_nobody_wrote_are_seen(stores: Stores) -> None:
    made_up = "Certified by engineers: lasts 30 years and saves electricity."
    assert told(stores, Claim(made_up, HONEST.evidence_ids)).supported == 0


def test_a_sentence_that_cites_nothing_is_not_supported(stores: Stores) -> None:
    figures = told(stores, Claim("Steel kettle", ()))
    assert (figures.ids_exist, figures.supported) == (0, 0)


def test_a_row_that_is_quoted_against_its_polarity_is_seen(stores: Stores) -> None:
    profile = stores.profiles.get("item", "k1")
    assert profile is not None
    turned = [
        type(row)(
            row.row_id, row.aspect, row.label, "like" if row.aspect == "lid" else row.polarity,
            row.strength, row.n, row.first_at, row.last_at, row.lang, row.quotes,
        )
        for row in profile.rows
    ]  # fmt: skip
    stores.profiles.put(
        type(profile)("item", "k1", tuple(turned), profile.sentences, profile.as_of, "turned")
    )
    sentence = 'A buyer of this one says "The lid is loose".'
    figures = told(stores, Claim(sentence, ("review:r3:item",)))
    assert (figures.supported, figures.polarity_conflicts) == (1, 1)


def test_items_without_a_reason_are_counted(stores: Stores) -> None:
    figures = ground(real(stores), [asked("m1", user=None)], stores)
    assert (figures.items, figures.unexplained, figures.sentences) == (1, 1, 0)
    assert figures.reason == "no profile gave a reason"
    assert math.isnan(figures.supported)


@pytest.mark.parametrize(
    ("ranked", "reason"),
    [((), "no question to explain"), (("k1",), "no item that was ranked first has a profile")],
)
def test_where_there_are_no_profiles_there_is_a_reason_and_no_figure(
    ranked: tuple[str, ...], reason: str, bare: Stores
) -> None:
    figures = ground(real(bare), [asked(*ranked)] if ranked else [], bare)
    record = figures.to_json()
    json.dumps(record, allow_nan=False)
    assert record["reason"] == reason
    assert record["ids_exist"] is record["supported"] is record["polarity_conflicts"] is None
