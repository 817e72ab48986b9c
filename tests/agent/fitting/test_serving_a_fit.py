"""A service on saved models: nothing is trained, what people did since counts, refits swap in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from agent.fitting import live
from agent.fitting.live import Follower
from agent.recommend import Recommender
from agent.settings import Settings
from agent.stores import Stores
from retrieval.candidates import ease, history, ials, item_knn, line_up, markov
from retrieval.errors import StoreError
from retrieval.types import Answer, Interaction, Item, Query
from server.service import Service
from tests.agent.fitting.fitted_shop import TINY, fit_shop
from tests.agent.recommending.shop import NOW

Build = Callable[[], Recommender]
EVEN = dict.fromkeys(("behaviour", "item_knn", "markov", "content", "popular"), 1.0)


def ids(answer: Answer) -> list[str]:
    return [one.item_id for one in answer.recommendations]


def state(recommender: Recommender) -> dict[str, str]:
    return recommender.ready()[1]


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("trained while serving")

    for model in (ease.Ease, ials.Ials, item_knn.ItemKnn, markov.Markov, line_up.ColdStart):
        monkeypatch.setattr(model, "fit", refuse)
    monkeypatch.setattr(history, "fit_behaviour", refuse)


def test_sources_with_a_weight_are_restored_and_nothing_is_trained_or_embedded(
    stores: Stores, build: Build, embedded: list[str], request: pytest.FixtureRequest
) -> None:
    fit_shop(stores, {"markov": 1.0, "content": 1.0, "item_knn": 1.0})
    embedded.clear()
    request.getfixturevalue("no_training")
    recommender = build()
    assert state(recommender)["sources"] == "item_knn, markov, content, lexical, popular"
    answer = recommender.recommend(Query(user_id="bob"))
    assert answer.trace.weights_used == "learned"
    assert {"markov", "content", "item_knn"} & set(answer.recommendations[0].parts)
    assert not [note for note in answer.trace.notes if "fit" in note]
    assert embedded == []


def test_without_saved_models_everything_is_as_before(build: Build) -> None:
    recommender = build()
    assert state(recommender)["sources"] == "behaviour, lexical, popular"
    assert "fit" not in state(recommender)


def test_what_a_user_did_since_the_fit_counts(
    stores: Stores, build: Build, request: pytest.FixtureRequest
) -> None:
    fit_shop(stores, {"item_knn": 1.0})
    request.getfixturevalue("no_training")
    recommender = build()
    assert "item_knn" not in recommender.recommend(Query(user_id="new")).recommendations[0].parts
    stores.event_log.append_interactions([Interaction("new", "t2", "purchase", 1.0, NOW)])
    recommender.refresh()
    answer = recommender.recommend(Query(user_id="new"))
    assert ids(answer)[0] == "t4", "who takes t2 takes t4"
    assert answer.recommendations[0].parts["item_knn"] > 0
    assert any("the data changed" in note and "models" in note for note in answer.trace.notes)


def test_items_that_came_since_are_found_by_words_and_popularity(
    stores: Stores, build: Build
) -> None:
    fit_shop(stores, EVEN)
    recommender = build()
    stores.catalog.upsert_items([Item("a0", "Matcha whisk")])
    stores.event_log.append_interactions(
        Interaction(user, "a0", "purchase", 1.0, NOW + timedelta(days=1))
        for user in ("bob", "cat", "dan", "eva", "fay")
    )
    recommender.refresh()
    answer = recommender.recommend(Query(text="matcha whisk"))
    assert ids(answer)[0] == "a0"
    assert set(answer.recommendations[0].parts) == {"lexical", "popular"}
    assert "a0" in ids(recommender.recommend(Query()))


def test_a_damaged_model_leaves_its_source_out_and_the_trace_says_so(
    stores: Stores, build: Build
) -> None:
    saved = fit_shop(stores, EVEN)
    path = stores.settings.store.home / "models" / saved.set_id / "markov.npz"
    path.write_bytes(b"damaged")
    recommender = build()
    assert "markov" not in state(recommender)["sources"]
    assert "item_knn" in state(recommender)["sources"]
    notes = recommender.recommend(Query(user_id="bob")).trace.notes
    assert [n for n in notes if "markov.npz" in n and "run palate fit again" in n]


def test_a_lost_vector_file_leaves_content_out_and_the_trace_says_so(
    stores: Stores, build: Build
) -> None:
    saved = fit_shop(stores, EVEN)
    (stores.settings.store.home / "models" / f"{saved.features_id}.npz").unlink()
    recommender = build()
    assert state(recommender)["sources"] == "behaviour, item_knn, markov, lexical, popular"
    notes = recommender.recommend(Query(user_id="bob")).trace.notes
    assert len([n for n in notes if "source content is left out" in n]) == 1


def test_a_broken_set_gives_way_to_what_is_fitted_on_the_spot(stores: Stores, build: Build) -> None:
    fit_shop(stores, EVEN)
    (stores.settings.store.home / "models" / "current").write_text("nowhere")
    recommender = build()
    assert state(recommender)["sources"] == "behaviour, lexical, popular"
    notes = recommender.recommend(Query(user_id="bob")).trace.notes
    assert [n for n in notes if "fitted models cannot be used" in n]


def test_a_source_that_weighs_something_and_was_not_saved_is_named(
    stores: Stores, build: Build
) -> None:
    fit_shop(stores, {**EVEN, "next_item": 1.0})
    notes = build().recommend(Query(user_id="bob")).trace.notes
    assert [n for n in notes if "source next_item is left out: it was not saved" in n]


def quick(recommender: Recommender) -> None:
    """Looks often, for the test's sake."""
    follower = recommender._follower
    assert follower is not None
    follower._every, follower._settle, follower._next = 0.01, 0.01, 0.0


Shares = Mapping[str, float]
OLD: Shares = {"item_knn": 1.0}
NEW: Shares = {"behaviour": 1.0, "popular": 3.0}


def test_requests_go_on_while_a_refit_is_swapped_in(
    settings: Settings, stores: Stores, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer is that of the old fit or that of the new one, part by part."""

    def answers(recommender: Recommender) -> list[object]:
        queries = [
            Query(user_id=user, text=text) for user in ("bob", "gus") for text in ("", "tea")
        ]
        return [
            [(one.item_id, one.score, dict(one.parts)) for one in answer.recommendations]
            for answer in map(recommender.recommend, queries)
        ]

    fit_shop(stores, NEW)
    new = answers(build())
    fit_shop(stores, OLD)
    recommender = build()
    old = answers(recommender)
    assert all(before != after for before, after in zip(old, new, strict=True))
    service = Service(settings, recommender)
    quick(recommender)
    answered = threading.Semaphore(0)
    reading: list[bool] = []
    read = live.read_fit

    def only_while_others_are_answered(home: Path) -> live.Fit:
        # A request that waited for this would never be answered.
        reading.append(all(answered.acquire(timeout=20) for _ in range(5)))
        return read(home)

    monkeypatch.setattr(live, "read_fit", only_while_others_are_answered)
    wrong: list[object] = []
    seen: set[str] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                for at, got in enumerate(answers(service.fresh())):
                    which = {"old": got == old[at], "new": got == new[at]}
                    seen.update(name for name, same in which.items() if same)
                    if not any(which.values()):
                        wrong.append(got)
            except Exception as error:  # a thread's exception would be lost otherwise
                wrong.append(error)
            answered.release()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    fit_shop(stores, NEW)
    end = time.monotonic() + 30
    while "new" not in seen and time.monotonic() < end:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == {"old", "new"}
    assert reading
    assert all(reading), "nobody was answered while the new fit was read"
    assert recommender.ready()[0]


def test_a_refit_that_cannot_be_loaded_keeps_the_old_one_and_readyz_says_so(
    settings: Settings, stores: Stores, build: Build
) -> None:
    fit_shop(stores, OLD)
    recommender = build()
    service = Service(settings, recommender)
    before = ids(recommender.recommend(Query(user_id="bob")))
    saved = fit_shop(stores, NEW)
    (settings.store.home / "models" / saved.set_id / "behaviour.npz").write_bytes(b"")
    quick(recommender)
    end = time.monotonic() + 20
    while "behaviour.npz" not in state(service.fresh()).get("fit", "") and time.monotonic() < end:
        time.sleep(0.005)
    assert "the former answers" in state(recommender)["fit"]
    assert recommender.ready()[0], "the service goes on"
    assert ids(recommender.recommend(Query(user_id="bob"))) == before
    recommender.refresh()
    answer = recommender.recommend(Query(user_id="bob"))
    assert ids(answer) == before, "rows that come in do not change that"
    assert any("the newer fit cannot be used" in note for note in answer.trace.notes)
    fit_shop(stores, NEW)
    while "fit" in state(service.fresh()) and time.monotonic() < end:
        time.sleep(0.005)
    assert "fit" not in state(recommender)
    assert recommender.recommend(Query(user_id="bob")).recommendations[0].parts["popular"] != 0


def test_a_failing_store_while_a_refit_is_taken_up_costs_no_request(
    settings: Settings, stores: Stores, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_shop(stores, OLD)
    recommender = build()
    service = Service(settings, recommender)
    before = ids(recommender.recommend(Query(user_id="bob")))

    def away() -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr(recommender, "_load", away)
    quick(recommender)
    fit_shop(stores, NEW)
    end = time.monotonic() + 20
    while "is away" not in state(service.fresh()).get("fit", "") and time.monotonic() < end:
        time.sleep(0.005)
    assert "is away" in state(recommender)["fit"]
    assert ids(recommender.recommend(Query(user_id="bob"))) == before


def test_a_write_is_read_at_once_and_trains_nothing(
    settings: Settings, stores: Stores, build: Build, request: pytest.FixtureRequest
) -> None:
    fit_shop(stores, {"item_knn": 1.0}, settings={**TINY, "item_knn": {"k": 3}})
    request.getfixturevalue("no_training")
    service = Service(settings, build())
    service.recommender.event_log.append_interactions(
        [Interaction("new", "t2", "purchase", 1.0, NOW)]
    )
    service.mark_stale()
    assert ids(service.fresh().recommend(Query(user_id="new")))[0] == "t4"


def test_follower_is_part_of_what_is_built(build: Build) -> None:
    assert isinstance(build()._follower, Follower)
