"""Questions from a log know nothing of what comes after their cut."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.settings import read_settings
from agent.stores import open_stores
from eval.load import load_questions
from eval.pools import QuestionSet, cut_periods, languages_of, questions_from_log
from eval.prompt_config import PoolConfig, PromptSplit
from eval.question import Question, write_questions
from retrieval.errors import InvalidInput, NotFound
from retrieval.types import (
    AspectRow,
    Interaction,
    Item,
    Profile,
    ProfileSentence,
    Quote,
    Subject,
    User,
)
from tests.eval.runs.worlds import Watcher, config, questions

START = datetime(2024, 1, 1, tzinfo=UTC)
ITEMS = [Item(f"i{at:02d}", f"Tea {at}" if at % 2 else f"绿茶 {at} 号") for at in range(30)]
SPLIT = PromptSplit(tune_fraction=0.2, test_fraction=0.2)


def event(user: str, item: str, day: float) -> Interaction:
    return Interaction(user, item, "purchase", 1.0, START + timedelta(days=day))


def log(people: int = 30, seed: int = 0) -> list[Interaction]:
    """People of two tastes take eight things each over 100 days."""
    rng = random.Random(seed)
    events = []
    for user in range(people):
        for step, at in enumerate(rng.sample(range(user % 2, 30, 2), 8)):
            events.append(event(f"u{user:02d}", f"i{at:02d}", step * 12 + rng.random() * 12))
    return events


def ask(events: Sequence[Interaction], split: PromptSplit = SPLIT, **changes: Any) -> QuestionSet:
    options: dict[str, Any] = {
        "languages": {}, "pool": PoolConfig(per_source=8, judged=5), "profiles": None,
        "limit": None, "seed": 0, "progress": Watcher(),
    }  # fmt: skip
    return questions_from_log(events, ITEMS, split=split, **(options | changes))


def told(question: Question) -> tuple[object, ...]:
    """Everything but what is to be found, and the group of that."""
    group = {name: of for name, of in question.strata.items() if name != "item"}
    return (
        question.user_id, question.lang, question.query_text, question.person_text,
        question.candidates, group,
    )  # fmt: skip


def with_another_future(
    events: Sequence[Interaction], cut: datetime, seed: int
) -> list[Interaction]:
    """As many events at the same instants, or the cut itself would move; shuffled."""
    rng = random.Random(seed)
    people = sorted({one.user_id for one in events})
    changed = [
        event(rng.choice(people), f"i{rng.randrange(30):02d}", _day(one)) if one.at > cut else one
        for one in events
    ]
    rng.shuffle(changed)
    return changed


def same_but_for_the_future(first: QuestionSet, second: QuestionSet) -> None:
    assert second.cuts == first.cuts
    assert second.weights == first.weights
    before = {one.query_id: told(one) for one in first.questions}
    both = [one for one in second.questions if one.query_id in before]
    assert both
    assert all(told(one) == before[one.query_id] for one in both)


@settings(max_examples=12)
@given(st.sampled_from(["tune", "test"]), st.integers(0, 10**6))
def test_what_comes_after_the_cut_changes_only_what_is_to_be_found(period: Any, seed: int) -> None:
    events = log()
    split = SPLIT.model_copy(update={"period": period})
    first = ask(events, split)
    cut = first.cuts[0] if period == "tune" else first.cuts[1]
    same_but_for_the_future(first, ask(with_another_future(events, cut, seed), split))


def test_weights_that_are_learned_know_nothing_of_the_future_either() -> None:
    events = log(people=260)
    first = ask(events)
    assert "nothing shows that it is worse" in first.weights
    same_but_for_the_future(first, ask(with_another_future(events, first.cuts[1], 1)))


def _day(one: Interaction) -> float:
    return (one.at - START) / timedelta(days=1)


def test_the_periods_follow_each_other_and_share_nothing() -> None:
    events = log()
    tune = cut_periods(events, SPLIT.model_copy(update={"period": "tune"}))
    test = cut_periods(events, SPLIT)
    assert tune.cuts == test.cuts
    first, second = tune.cuts
    assert all(one.at <= first for one in tune.split.before)
    assert all(first < one.at <= second for one in tune.split.after)
    assert all(one.at <= second for one in test.split.before)
    assert all(one.at > second for one in test.split.after)
    assert len(test.split.before) + len(test.split.after) == len(events)
    assert len(tune.split.after) == pytest.approx(0.2 * len(events), abs=2)
    assert len(test.split.after) == pytest.approx(0.2 * len(events), abs=2)


def test_a_question_is_what_the_person_took_anew_and_nothing_puts_it_into_the_pool() -> None:
    events = log()
    found = ask(events)
    cut = found.cuts[1]
    counts = Counter(one.item_id for one in events if one.at <= cut)
    head = sorted(counts, key=lambda item: (-counts[item], item))[: round(len(counts) * 0.2)]
    lost = 0
    for question in found.questions:
        mine = [one for one in events if one.user_id == question.user_id]
        old = {one.item_id for one in mine if one.at <= cut}
        new = {one.item_id for one in mine if one.at > cut} - old
        assert question.relevant == new
        pool = [one.item_id for one in question.candidates]
        assert len(set(pool)) == len(pool)
        assert not old.intersection(pool)
        lost += len(new.difference(pool))
        scores = [one.score for one in question.candidates]
        assert scores == sorted(scores, reverse=True)
        assert all(one.score == math.fsum(one.parts.values()) for one in question.candidates)
        assert [bool(one.card) for one in question.candidates] == [
            at < 5 for at in range(len(pool))
        ]
        size = len([one for one in mine if one.at <= cut])
        assert question.strata["user"] == ("cold" if size < 5 else "warm")
        groups = ["head" if i in head else "tail" if i in counts else "new" for i in sorted(new)]
        assert question.strata["item"] == Counter(groups).most_common(1)[0][0]
    assert lost > 0
    assert found.catalogue == len(ITEMS)
    after = {one.user_id for one in events if one.at > cut}
    assert sum(found.left_out.values()) + len(found.questions) == len(after)


def test_a_limit_is_a_seeded_sample_and_counted() -> None:
    events = log()
    every = ask(events)
    few = ask(events, limit=5)
    assert few == ask(events, limit=5)
    ids = [one.query_id for one in few.questions]
    assert len(ids) == 5
    assert set(ids) < {one.query_id for one in every.questions}
    assert few.left_out["over the limit"] == len(every.questions) - 5
    assert [one.query_id for one in ask(events, limit=5, seed=1).questions] != ids
    same = {one.query_id: one for one in every.questions}
    assert all(same[one.query_id] == one for one in few.questions)
    assert ask(events[::-1]).questions == every.questions


def test_s_keeps_the_prior_where_there_is_too_little_to_learn_from() -> None:
    assert ask(log()).weights.endswith("100 are needed")
    tuning = ask(log(), SPLIT.model_copy(update={"period": "tune"}))
    assert "the prior: the tuning period has no labels before it" in tuning.weights


def test_each_source_is_told_also_where_s_gives_it_no_weight() -> None:
    found = ask(log())
    for question in found.questions:
        for one in question.candidates:
            assert set(one.sources) == set(one.parts)
            assert one.said["popular"] >= 0


def test_people_are_addressed_in_the_language_they_state_or_choose() -> None:
    found = ask(log(), languages={"u00": "en"})
    lang = {one.user_id: one.lang for one in found.questions}
    assert lang["u00"] == "en"
    assert lang["u01"] == "en"
    assert lang["u02"] == "zh"
    text = {one.user_id: one.person_text for one in found.questions}
    assert text["u00"].startswith("Chose: 绿茶")
    assert text["u02"].startswith("选过：绿茶")
    users = [User("a", {"language": "zh"}), User("b", {"lang": "en"}), User("c", {"lang": "de"})]
    assert languages_of([*users, User("d")]) == {"a": "zh", "b": "en"}


@pytest.mark.parametrize(
    ("events", "split", "says"),
    [
        ([], SPLIT, "0 events do not spread over three periods"),
        (log(2)[:2], SPLIT, "2 events do not spread over three periods"),
        ([event(f"u{n}", "i01", 1) for n in range(50)], SPLIT, "50 events do not spread"),
        (log(), PromptSplit(tune_fraction=0.5, test_fraction=0.5), r"tune_fraction \+ test"),
        (log(), PromptSplit(tune_fraction=0.9, test_fraction=0.9), r"= 1\.8"),
        ([event(f"u{n}", "i01", n) for n in range(50)], SPLIT, "nobody of 10 people"),
    ],
)
def test_a_log_that_cannot_be_asked_about_says_why(
    events: list[Interaction], split: PromptSplit, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        ask(events, split)
    assert caught.value.hint


def profile(subject: Subject, subject_id: str, text: str, as_of: datetime) -> Profile:
    row = AspectRow(
        f"{subject_id}-r", "taste", "taste", "like", 0.9, 1, START, START, "en",
        (Quote("review:1", "great taste"),),
    )  # fmt: skip
    return Profile(subject, subject_id, (row,), (ProfileSentence(text, (row.row_id,)),), as_of, "v")


def home_with(folder: Path, as_of: datetime) -> Path:
    home = folder / "home"
    settings_of_home = read_settings(environ={}, overrides={"store": {"home": home}})
    with open_stores(settings_of_home) as stores:
        stores.catalog.upsert_items(ITEMS)
        stores.catalog.upsert_users(User(f"u{at:02d}") for at in range(30))
        for at in range(30):
            stores.profiles.put(profile("user", f"u{at:02d}", f"Likes cup number {at}.", as_of))
            stores.profiles.put(profile("item", f"i{at:02d}", "A good one.", as_of))
    return home


def shop(folder: Path, events: Sequence[Interaction]) -> Path:
    path = folder / "shop"
    path.mkdir()
    titles = "".join(f"{one.item_id},{one.title}\n" for one in ITEMS)
    (path / "items.csv").write_text(f"item_id,title\n{titles}")
    rows = "".join(f"{x.user_id},{x.item_id},purchase,1,{x.at.isoformat()}\n" for x in events)
    (path / "interactions.csv").write_text(f"user_id,item_id,kind,value,at\n{rows}")
    return path


def test_profiles_are_told_when_they_were_built_before_the_cut_and_refused_after(
    tmp_path: Path,
) -> None:
    events = log()
    cut = ask(events).cuts[1]
    wanted = config(
        data={"path": shop(tmp_path, events)},
        split=SPLIT.model_dump(),
        pool={"home": home_with(tmp_path, cut), "judged": 5},
    )
    found = load_questions(wanted, Watcher())
    first = found.questions[0]
    assert first.user_id is not None
    assert first.person_text == f"Likes cup number {int(first.user_id[1:])}."
    assert first.candidates[0].card.endswith("+ taste")
    # The same profiles saw the period that tuning asks about.
    with pytest.raises(InvalidInput, match=r"profile of user 'u\d\d' read texts until") as caught:
        load_questions(wanted, Watcher(), period="tune")
    assert "palate profiles build --as-of 2024-" in caught.value.hint


def test_a_home_without_profiles_is_no_home_to_evaluate(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    events = log()
    wanted = config(data={"path": shop(tmp_path, events)}, pool={"home": tmp_path / "empty"})
    with pytest.raises(InvalidInput, match="has no profiles"):
        load_questions(wanted, Watcher())
    gone = config(data={"path": tmp_path / "shop"}, pool={"home": tmp_path / "gone"})
    with pytest.raises(NotFound, match="there is no home"):
        load_questions(gone, Watcher())


def test_a_limit_on_ready_questions_is_a_seeded_sample_in_their_order(tmp_path: Path) -> None:
    asked = questions(20)
    write_questions(tmp_path / "q.jsonl", asked)
    data = {"format": "questions", "path": tmp_path / "q.jsonl"}
    few = load_questions(config(data=data, limit=6), Watcher())
    ids = [one.query_id for one in few.questions]
    assert len(ids) == 6
    assert ids == [one.query_id for one in asked if one.query_id in ids]
    assert ids != [f"q{at}" for at in range(6)]
    assert few.left_out == {"over the limit": 14}
    assert few.catalogue == 20 * 12
    assert load_questions(config(data=data, limit=20), Watcher()).left_out == {}
    assert load_questions(config(data=data), Watcher()).questions == tuple(asked)
