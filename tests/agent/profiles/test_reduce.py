"""Reducing is a function of the evidence that exists, and of nothing else."""

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent.profiles.reduce import MAX_QUOTES, ExtractedRow, reduce_rows

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@st.composite
def extracted_rows(draw: st.DrawFn) -> ExtractedRow:
    number = draw(st.integers(0, 12))
    return ExtractedRow(
        evidence_id=f"e{number}",
        voter=f"author{number % 4}",
        at=NOW - timedelta(days=draw(st.integers(-30, 900))),
        weight=draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])),
        lang=draw(st.sampled_from(["en", "zh"])),
        aspect=draw(st.sampled_from(["sound", "price", "fit"])),
        label=draw(st.sampled_from(["sound", "tone", "声音"])),
        polarity=draw(st.sampled_from(["like", "dislike"])),
        quote=draw(st.sampled_from(["clear", "clear sound", "很好"])),
        timeless=draw(st.booleans()),
    )


many = st.lists(extracted_rows(), max_size=25)


def row(
    evidence: str = "e",
    *,
    voter: str = "",
    days: float = 0,
    weight: float = 1.0,
    polarity: str = "like",
    timeless: bool = False,
) -> ExtractedRow:
    return ExtractedRow(
        evidence, voter or evidence, NOW - timedelta(days=days), weight, "en", "sound", "sound",
        "like" if polarity == "like" else "dislike", f"quote of {evidence}", timeless,
    )  # fmt: skip


@given(many, st.randoms())
def test_the_order_of_arrival_changes_nothing(rows: list[ExtractedRow], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = reduce_rows(rows, as_of=NOW, tau_days=100)
    assert reduce_rows(shuffled, as_of=NOW, tau_days=100) == first
    assert reduce_rows(rows + rows, as_of=NOW, tau_days=100) == first


@given(many, st.integers(0, 12))
def test_erasing_one_evidence_is_never_having_seen_it(rows: list[ExtractedRow], gone: int) -> None:
    kept = [one for one in rows if one.evidence_id != f"e{gone}"]
    left = reduce_rows(kept, as_of=NOW, tau_days=100)
    assert all(f"e{gone}" not in one.evidence_ids for one in left)
    assert left == reduce_rows(tuple(kept), as_of=NOW, tau_days=100)


@given(many)
def test_no_author_has_more_than_one_vote_in_a_row(rows: list[ExtractedRow]) -> None:
    for one in reduce_rows(rows, as_of=NOW, tau_days=100):
        authors = {
            r.voter
            for r in rows
            if (r.aspect, r.polarity) == (one.aspect, one.polarity) and r.weight > 0
        }
        assert 0 < one.strength <= len(authors)
        assert len(set(one.evidence_ids)) == len(one.quotes) <= one.n


@given(many)
def test_nothing_after_the_cut_off_is_read(rows: list[ExtractedRow]) -> None:
    past = [one for one in rows if one.timeless or one.at <= NOW]
    assert reduce_rows(rows, as_of=NOW, tau_days=9) == reduce_rows(past, as_of=NOW, tau_days=9)


@given(many, st.integers(0, 5))
def test_the_strongest_rows_come_first_and_a_bound_only_cuts(
    rows: list[ExtractedRow], bound: int
) -> None:
    everything = reduce_rows(rows, as_of=NOW, tau_days=100)
    strengths = [one.strength for one in everything]
    assert strengths == sorted(strengths, reverse=True)
    assert len({one.row_id for one in everything}) == len(everything)
    assert reduce_rows(rows, as_of=NOW, tau_days=100, max_rows=bound) == everything[:bound]


def test_strength_is_the_sum_of_aged_votes() -> None:
    (one,) = reduce_rows([row("a", days=0), row("b", days=100)], as_of=NOW, tau_days=100)
    assert one.strength == math.fsum([1.0, math.exp(-1)])
    assert one.n == 2
    assert one.evidence_ids == ("a", "b")


def test_the_same_author_again_and_again_counts_once_with_the_weightiest() -> None:
    spam = [row(f"e{n}", voter="spammer", days=n, weight=0.5) for n in range(50)]
    (one,) = reduce_rows(spam, as_of=NOW, tau_days=100)
    assert one.strength == 0.5
    assert one.n == 50
    assert len(one.quotes) == MAX_QUOTES


def test_contradictions_stay_two_rows_with_their_dates() -> None:
    rows = reduce_rows(
        [row("old", days=300), row("new", days=1, polarity="dislike")], as_of=NOW, tau_days=100
    )
    assert [(one.polarity, one.last_at) for one in rows] == [
        ("dislike", NOW - timedelta(days=1)),
        ("like", NOW - timedelta(days=300)),
    ]


def test_what_has_no_date_does_not_age() -> None:
    (one,) = reduce_rows([row(days=20_000, timeless=True)], as_of=NOW, tau_days=1)
    assert one.strength == 1.0


def test_weightless_evidence_makes_no_row() -> None:
    assert reduce_rows([row(weight=0.0)], as_of=NOW, tau_days=1) == ()
    assert reduce_rows([], as_of=NOW, tau_days=1) == ()


def test_row_ids_say_whose_row_it_is() -> None:
    (mine,) = reduce_rows([row()], as_of=NOW, tau_days=1, subject="user:a")
    (yours,) = reduce_rows([row()], as_of=NOW, tau_days=1, subject="user:b")
    assert mine.row_id != yours.row_id
