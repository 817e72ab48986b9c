"""The reference rows of the real data sets reproduce to the third decimal."""

import pytest

from eval.reproduce import read_expected, real_data, reproduce


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["xwines-reference", "movielens-reference", "musical-instruments-reference"]
)
def test_popular_itemknn_and_ease_reproduce_the_reference_row(name: str) -> None:
    expected = read_expected()[name]
    if not (real_data() / expected.needs).is_dir():
        pytest.skip(f"no data at {real_data() / expected.needs}; set PALATE_REAL_DATA")
    lines = reproduce(name, expected)
    assert len(lines) == 6
    assert [line for line in lines if line.state != "ok"] == []


@pytest.mark.real_data
def test_the_recorded_answers_on_games6k_give_the_figures_of_the_docs_again() -> None:
    expected = read_expected()["games6k-rerank"]
    if not (real_data() / expected.needs).is_dir():
        pytest.skip(f"no data at {real_data() / expected.needs}; set PALATE_REAL_DATA")
    lines = reproduce("games6k-rerank", expected)
    assert [line for line in lines if line.state != "ok"] == []
