"""Which requests are kept, what of them, and what an experiment does to an answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.build import build_recommender
from agent.erasure import erase_requests
from agent.pseudonyms import KEY_FILE, is_pseudonym
from agent.recommend import Recommender
from agent.scripted import ScriptedModel
from agent.settings import ExperimentSettings, LogSettings, Settings
from agent.stores import open_stores
from retrieval.errors import InvalidInput, ModelUnavailable, NotFound, StoreError
from retrieval.types import Answer, LoggedRequest, Query
from tests.agent.recommending.conftest import Build

ASK = Query(user_id="ann", text="a quiet kettle", log=True)


class Broken(ScriptedModel):
    """A model that is away."""

    def label_logprobs(self, *_: Any, **__: Any) -> Any:
        raise ModelUnavailable("gone")


def with_log(settings: Settings, experiment: dict[str, Any] | None = None, **log: Any) -> Settings:
    return settings.model_copy(
        update={
            "log": LogSettings(**{"requests": True, "pseudonyms": False, **log}),
            "experiment": ExperimentSettings(**(experiment or {})),
        }
    )


def logged(settings: Settings) -> list[LoggedRequest]:
    with open_stores(settings) as stores:
        return list(stores.request_log.requests())


def ids(answer: Answer) -> list[str]:
    return [one.item_id for one in answer.recommendations]


def shown(request: LoggedRequest) -> list[str]:
    return [item.item_id for item in request.shown]


def without_time(answer: Answer) -> Answer:
    return replace(answer, trace=replace(answer.trace, milliseconds_by_stage={}))


@pytest.mark.parametrize(
    ("log", "said", "kept"),
    [
        ({"requests": False}, True, None),
        ({"consent": "ask"}, None, None),
        ({"consent": "ask"}, False, None),
        ({"consent": "ask"}, True, "asked"),
        ({"consent": "assume"}, None, "assumed"),
        ({"consent": "assume"}, False, None),
        ({"consent": "assume"}, True, "asked"),
    ],
)
def test_only_what_was_agreed_to_is_kept(
    filled: Settings, build: Build, log: dict[str, Any], said: bool | None, kept: str | None
) -> None:
    settings = with_log(filled, **log)
    build(settings, ScriptedModel()).recommend(replace(ASK, log=said))
    assert [one.consent for one in logged(settings)] == ([kept] if kept else [])


def test_keeping_a_request_does_not_change_its_answer(filled: Settings, build: Build) -> None:
    plain = build(filled, ScriptedModel()).recommend(ASK)
    kept = build(with_log(filled), ScriptedModel()).recommend(ASK)
    assert without_time(kept) == without_time(plain)


def test_what_is_kept_says_how_the_answer_came_about(filled: Settings, build: Build) -> None:
    settings = with_log(filled)
    answer = build(settings, ScriptedModel()).recommend(replace(ASK, n=4))
    (request,) = logged(settings)
    assert shown(request) == ids(answer)
    assert (request.user_id, request.lang, request.query_text) == ("ann", "en", "a quiet kettle")
    assert request.person_text == "Needs a quiet motor. Likes tea."
    assert (request.prompt, request.model) == ("rerank@1", "scripted")
    assert (request.experiment, request.arm, request.exposed) == ("", "", True)
    assert [item.base_rank for item in request.items] == list(range(1, len(request.items) + 1))
    assert len(request.items) > 4
    by_rank = {one.item_id: one.base_rank for one in answer.recommendations}
    for item in request.items:
        assert math.fsum(item.parts.values()) == item.score
        assert "llm" not in item.parts
        assert item.card
        assert item.bins
        assert item.log_odds is not None
        if item.rank is not None:
            assert by_rank[item.item_id] == item.base_rank
            assert (item.policy_rank, item.propensity) == (item.rank, 1.0)


def test_no_deeper_than_asked_but_everything_that_was_shown(filled: Settings, build: Build) -> None:
    settings = with_log(filled, depth=2)
    answer = build(settings, ScriptedModel()).recommend(replace(ASK, n=5))
    (request,) = logged(settings)
    assert set(ids(answer)) <= {item.item_id for item in request.items}
    assert len(request.items) <= 7


def test_texts_are_redacted_before_they_are_stored(filled: Settings, build: Build) -> None:
    settings = with_log(filled)
    text = "a kettle, write to ann@example.com or 138 0013 8000"
    build(settings, ScriptedModel()).recommend(replace(ASK, text=text))
    (request,) = logged(settings)
    assert request.query_text == "a kettle, write to «email» or «phone»"
    stored = (settings.store.home / "palate.sqlite3").read_bytes()
    wal = settings.store.home / "palate.sqlite3-wal"
    stored += wal.read_bytes() if wal.exists() else b""
    assert "«email»".encode() in stored
    assert b"ann@example.com" not in stored


def test_users_are_kept_under_pseudonyms_and_can_still_be_erased(
    filled: Settings, build: Build
) -> None:
    settings = with_log(filled, pseudonyms=True)
    recommender = build(settings, ScriptedModel())
    for user_id in ("ann", "bob", "ann", None):
        recommender.recommend(replace(ASK, user_id=user_id))
    names = [one.user_id for one in logged(settings)]
    assert all(name is None or is_pseudonym(name) for name in names)
    assert names[0] == names[2] != names[1]
    assert (settings.store.home / KEY_FILE).is_file()
    with open_stores(settings) as stores:
        assert erase_requests(stores, "ann") == 2
    assert [one.user_id for one in logged(settings)] == [names[1], None]


def test_erasing_finds_ids_that_were_kept_before_pseudonyms_were(
    filled: Settings, build: Build
) -> None:
    build(with_log(filled), ScriptedModel()).recommend(ASK)
    settings = with_log(filled, pseudonyms=True)
    build(settings, ScriptedModel()).recommend(ASK)
    with open_stores(settings) as stores:
        assert erase_requests(stores, "ann") == 2


def test_old_requests_are_forgotten_while_new_ones_come(
    filled: Settings, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_log(filled, keep_days=1)
    recommender: Any = build(settings, ScriptedModel())
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for hours in (0, 0.5, 23, 25):
        monkeypatch.setattr(recommender, "_now", lambda: now + timedelta(hours=hours))  # noqa: B023
        recommender.recommend(ASK)
    assert [one.at for one in logged(settings)] == [
        now + timedelta(hours=hours) for hours in (23, 25)
    ]


def test_a_log_that_fails_fails_no_request(
    filled: Settings, build: Build, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    recommender: Any = build(with_log(filled), ScriptedModel())

    def full(_: object) -> int:
        raise StoreError("the disk is full")

    monkeypatch.setattr(recommender._request_log, "append", full)
    assert recommender.recommend(ASK).recommendations
    assert "the disk is full" in caplog.text


def test_a_bad_request_is_refused_and_not_kept(filled: Settings, build: Build) -> None:
    settings = with_log(filled)
    recommender = build(settings, ScriptedModel())
    with pytest.raises(InvalidInput):
        recommender.recommend(replace(ASK, n=0))
    with pytest.raises(NotFound):
        recommender.recommend(replace(ASK, user_id="nobody"))
    assert logged(settings) == []


class TestExperiments:
    """Arms on the requests that are kept."""

    AB: dict[str, Any] = {"name": "llm", "arms": ("off", "on"), "weights": (1.0, 3.0)}  # noqa: RUF012

    def test_a_user_sees_the_arm_that_the_log_says(self, filled: Settings, build: Build) -> None:
        settings = with_log(filled, self.AB)
        recommender = build(settings, ScriptedModel())
        users = ("ann", "bob", "cat", "dan", "eva", "fay", "gus", "ann", "bob")
        rankers = [
            recommender.recommend(replace(ASK, user_id=user)).trace.ranker_used for user in users
        ]
        requests = logged(settings)
        arms = {"fused": "off", "fused+llm": "on"}
        assert [one.arm for one in requests] == [arms[ranker] for ranker in rankers]
        assert {one.arm for one in requests} == {"off", "on"}
        assert [one.arm for one in requests[:2]] == [one.arm for one in requests[-2:]]
        for one in requests:
            assert (one.experiment, one.design, one.exposed) == ("llm", "ab", True)
            assert (one.arms, one.weights) == (("off", "on"), (1.0, 3.0))

    @pytest.mark.parametrize(
        "query",
        [
            replace(ASK, log=None),
            replace(ASK, user_id=None),
            replace(ASK, rerank=False),
        ],
        ids=["not agreed", "stranger", "no re-ranking"],
    )
    def test_who_cannot_be_analysed_takes_no_part(
        self, filled: Settings, build: Build, query: Query
    ) -> None:
        plain = build(filled, ScriptedModel()).recommend(query)
        settings = with_log(filled, {"name": "llm", "arms": ("off", "rerank@1"), "explore": 1.0})
        kept = build(settings, ScriptedModel()).recommend(replace(query, n=10))
        assert all(one.experiment == "" for one in logged(settings))
        if query.user_id is None or query.log is None:
            assert without_time(kept) == without_time(plain)

    def test_an_arm_that_could_not_be_applied_is_no_exposure(
        self, filled: Settings, build: Build
    ) -> None:
        settings = with_log(filled, self.AB)
        recommender = build(settings, Broken())
        for user in ("ann", "bob", "cat", "dan", "eva", "fay", "gus"):
            recommender.recommend(replace(ASK, user_id=user))
        for one in logged(settings):
            assert one.exposed == (one.arm == "off")
            assert ("gone" in one.degraded_because) == (one.arm == "on")

    def test_a_version_of_the_prompt_is_an_arm(self, filled: Settings, build: Build) -> None:
        settings = with_log(filled, {"name": "w", "arms": ("rerank@1", "off"), "weights": (1e9, 1)})
        build(settings, ScriptedModel()).recommend(ASK)
        (request,) = logged(settings)
        assert (request.arm, request.prompt) == ("rerank@1", "rerank@1")

    @pytest.mark.parametrize("arm", ["rerank@99", "extract@1", "rerank", "rerank@production", "x"])
    def test_an_arm_that_is_no_version_of_the_prompt_is_refused(
        self, filled: Settings, arm: str
    ) -> None:
        with pytest.raises(InvalidInput, match=r"experiment\.arms"):
            build_recommender(with_log(filled, {"name": "w", "arms": ("off", arm)}))

    def test_an_experiment_without_a_log_is_refused(self, filled: Settings) -> None:
        for experiment in (self.AB, {"explore": 0.1}):
            with pytest.raises(InvalidInput, match="not kept"):
                build_recommender(with_log(filled, experiment, requests=False))

    def test_interleaving_shows_both_rankings_and_says_whose_each_item_is(
        self, filled: Settings, build: Build
    ) -> None:
        settings = with_log(filled, {"name": "i", "kind": "interleave", "arms": ("off", "on")})
        recommender = build(settings, ScriptedModel())
        answers = [recommender.recommend(replace(ASK, n=6)) for _ in range(20)]
        requests = logged(settings)
        assert [shown(one) for one in requests] == [ids(answer) for answer in answers]
        leaders = Counter(one.shown[0].team for one in requests)
        assert set(leaders) == {"off", "on"}
        for one in requests:
            teams = [item.team for item in one.shown]
            assert (teams.count("off"), teams.count("on")) == (3, 3)
            assert all(item.propensity is None for item in one.items)
            assert (one.design, one.arm, one.arms) == ("interleave", "", ("off", "on"))
        trace = answers[0].trace
        assert (trace.ranker_used, trace.prompt_versions) == ("fused+llm", {"rerank": "rerank@1"})
        for answer in answers:
            for line in answer.recommendations:
                assert math.fsum(line.parts.values()) == line.score

    def test_exploring_shuffles_the_top_and_keeps_how_likely_that_was(
        self, filled: Settings, build: Build
    ) -> None:
        settings = with_log(filled, {"explore": 1.0, "explore_depth": 3})
        recommender = build(settings, ScriptedModel())
        plain = ids(build(filled, ScriptedModel()).recommend(replace(ASK, n=5)))
        for _ in range(20):
            recommender.recommend(replace(ASK, n=5))
        tops = set()
        for one in logged(settings):
            tops.add(tuple(shown(one)[:3]))
            assert sorted(shown(one)[:3]) == sorted(plain[:3])
            assert shown(one)[3:] == plain[3:]
            policy = sorted(one.shown, key=lambda item: item.policy_rank or 0)
            assert [item.item_id for item in policy] == plain
            assert [item.propensity for item in one.shown] == [
                pytest.approx(1 / 3), pytest.approx(1 / 3), pytest.approx(1 / 3), 1.0, 1.0,
            ]  # fmt: skip
            assert (one.explore, one.explore_depth) == (1.0, 3)
        assert len(tops) > 2


@pytest.mark.parametrize(
    "kind",
    [lambda settings: settings, lambda settings: with_log(settings, TestExperiments.AB)],
    ids=["plain", "logging"],
)
def test_the_same_recommender_serves_many_threads(
    filled: Settings, build: Build, kind: Callable[[Settings], Settings]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    settings = kind(filled)
    recommender: Recommender = build(settings, ScriptedModel())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(recommender.recommend, [ASK] * 24))
    assert len({tuple(ids(answer)) for answer in answers}) == 1
    assert len(logged(settings)) == (24 if settings.log.requests else 0)
