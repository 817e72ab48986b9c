"""Assignment, interleaving and exploring."""

import math
import random
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from agent.experiments import assign, explore, propensity, team_draft
from retrieval.errors import InvalidInput

USERS = [f"user-{number}" for number in range(6000)]
ITEMS = st.lists(st.sampled_from("abcdefgh"), unique=True)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.1, 0.9), (2.0, 1.0, 1.0)])
def test_users_are_dealt_out_in_the_shares_of_the_weights(weights: tuple[float, ...]) -> None:
    counts = Counter(assign("wording", user, weights) for user in USERS)
    expected = [weight / sum(weights) * len(USERS) for weight in weights]
    assert chisquare([counts[arm] for arm in range(len(weights))], expected).pvalue > 0.01


def test_two_experiments_are_independent() -> None:
    table = [[0, 0], [0, 0]]
    for user in USERS:
        table[assign("one", user, (1, 1))][assign("two", user, (1, 1))] += 1
    assert chi2_contingency(table).pvalue > 0.01


@given(name=st.text(), unit=st.text(), weights=st.lists(st.floats(1e-6, 1e6), min_size=1))
def test_a_user_stays_in_one_arm(name: str, unit: str, weights: list[float]) -> None:
    arm = assign(name, unit, weights)
    assert 0 <= arm < len(weights)
    assert assign(name, unit, weights) == arm


def test_an_experiment_has_arms() -> None:
    with pytest.raises(InvalidInput):
        assign("x", "u", ())


@given(first=ITEMS, second=ITEMS, n=st.integers(0, 12), seed=st.integers(0, 99))
def test_a_draft_shows_each_item_once_and_sides_take_turns(first, second, n, seed) -> None:
    drafted = team_draft(first, second, n, random.Random(seed))
    items = [item for item, _ in drafted]
    assert len(items) == len(set(items)) == min(n, len({*first, *second}))
    for item, side in drafted:
        assert item in (first, second)[side]
    both = min(len(first), len(second)) if set(first) == set(second) else 0
    for length in range(min(both, len(items)) + 1):
        sides = [side for _, side in drafted[:length]]
        assert abs(sides.count(0) - sides.count(1)) <= 1


@given(ranking=ITEMS, n=st.integers(0, 8))
def test_a_draft_of_one_ranking_with_itself_is_the_ranking(ranking: list[str], n: int) -> None:
    drafted = team_draft(ranking, ranking, n, random.Random(1))
    assert [item for item, _ in drafted] == ranking[:n]


def test_a_draft_follows_the_published_rule() -> None:
    # Radlinski et al. 2008, figure 2: the loser of the coin picks second in each round.
    first, second = list("abcdgh"), list("bedafh")
    seen = {tuple(team_draft(first, second, 4, random.Random(seed))) for seed in range(200)}
    assert (("a", 0), ("b", 1), ("c", 0), ("e", 1)) in seen
    assert (("b", 1), ("a", 0), ("e", 1), ("c", 0)) in seen
    assert len(seen) == 4


def test_each_side_is_first_half_of_the_time() -> None:
    rng = random.Random(7)
    firsts = Counter(team_draft("ab", "ba", 2, rng)[0][1] for _ in range(2000))
    assert chisquare([firsts[0], firsts[1]]).pvalue > 0.01


@given(ranking=ITEMS, epsilon=st.floats(0, 1), depth=st.integers(2, 10), seed=st.integers(0, 50))
def test_exploring_only_moves_the_top(ranking, epsilon, depth, seed) -> None:
    shown = explore(ranking, epsilon, depth, random.Random(seed))
    assert sorted(shown) == sorted(ranking)
    assert shown[depth:] == ranking[depth:]
    if epsilon == 0:
        assert shown == ranking


@pytest.mark.parametrize(("length", "depth", "epsilon"), [(4, 3, 0.3), (3, 5, 1.0), (1, 2, 0.5)])
def test_propensities_are_exact(length: int, depth: int, epsilon: float) -> None:
    top = min(depth, length)
    exact = [[0.0] * length for _ in range(length)]
    for order in permutations(range(top)):
        whole = [*order, *range(top, length)]
        share = epsilon / math.factorial(top)
        share += (1 - epsilon) * (whole == list(range(length)))
        for place, item in enumerate(whole):
            exact[item][place] += share
    for item in range(length):
        for place in range(length):
            told = propensity(item + 1, place + 1, epsilon, depth, length)
            assert told == pytest.approx(exact[item][place])


def test_exploring_happens_as_often_as_the_propensities_say() -> None:
    rng = random.Random(3)
    counts = Counter("".join(explore("abcd", 0.6, 3, rng)) for _ in range(6000))
    orders = ["".join(order) + "d" for order in permutations("abc")]
    expected = [6000 * (0.1 + 0.4 * (order == "abcd")) for order in orders]
    assert chisquare([counts[order] for order in orders], expected).pvalue > 0.01
