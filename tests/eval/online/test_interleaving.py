"""Votes by team, over users."""

import random

import pytest

from agent.experiments import team_draft
from eval.online.interleaving import analyse, credit
from eval.online.log import Exposure
from retrieval.errors import InvalidInput
from tests.eval.online.simulator import request

ARMS = ("off", "on")


def shown(number: int, teams: str, taken: str, user_id: str = "u1", **changes: object) -> Exposure:
    """Items a, b, c … of the teams 0 and 1."""
    made = request(
        number,
        shown="abcdefgh"[: len(teams)],
        teams=[ARMS[int(team)] for team in teams],
        user_id=user_id,
        experiment="i",
        design="interleave",
        **{"arms": ARMS, **changes},
    )
    return Exposure(made, frozenset(taken))


@pytest.mark.parametrize(
    ("teams", "taken", "vote"),
    [("0101", "", 0), ("0101", "b", 1), ("0101", "a", -1), ("0101", "ab", 0), ("0101", "abd", 1)],
)
def test_the_team_with_more_taken_items_gets_the_vote(teams: str, taken: str, vote: int) -> None:
    assert credit(shown(0, teams, taken), "on", "off") == vote


def test_votes_are_counted_by_request_and_tested_by_user() -> None:
    exposures = [
        shown(0, "01", "b", "u1"),
        shown(1, "10", "a", "u1"),
        shown(2, "01", "a", "u2"),
        shown(3, "01", "", "u2"),
        shown(4, "01", "b", "u3", exposed=False),
    ]
    found = analyse(exposures)
    assert (found.system, found.against) == ("on", "off")
    assert (found.requests, found.wins, found.losses, found.ties, found.unexposed) == (
        4, 2, 1, 1, 1,
    )  # fmt: skip
    assert (found.comparison.n, found.comparison.mean) == (2, pytest.approx((1 - 0.5) / 2))


def drafts(users: int, better: float, seed: int) -> list[Exposure]:
    """Users take an item of one ranking more readily than of the other."""
    rng = random.Random(seed)
    exposures = []
    for number in range(users):
        drafted = team_draft("abcdef", "fedcba", 4, rng)
        taken = [item for item, team in drafted if rng.random() < (0.2, 0.2 + better)[team]]
        made = request(
            number,
            shown=[item for item, _ in drafted],
            teams=[ARMS[team] for _, team in drafted],
            user_id=f"u{number}",
            experiment="i",
            design="interleave",
            arms=ARMS,
        )
        exposures.append(Exposure(made, frozenset(taken)))
    return exposures


def test_a_better_ranking_wins_and_an_equal_one_does_not() -> None:
    better = analyse(drafts(400, 0.2, seed=1)).comparison
    assert better.p < 0.001
    assert better.low > 0
    equal = analyse(drafts(400, 0.0, seed=2)).comparison
    assert equal.p > 0.05
    assert equal.low < 0 < equal.high


def test_without_requests_or_with_changed_arms_there_is_nothing_to_say() -> None:
    with pytest.raises(InvalidInput, match="no request"):
        analyse([Exposure(request())])
    with pytest.raises(InvalidInput, match="off, on and off, rerank@2"):
        analyse([shown(0, "01", ""), shown(1, "01", "", arms=("off", "rerank@2"))])
