"""The few words that the model judges by."""

from hypothesis import given
from hypothesis import strategies as st

from agent.cards import MAX_CARD_WORDS, count_words, first_words, item_card, source_bins
from retrieval.types import Candidate, Item
from tests.agent.recommending.shop import aspect_row

VALUES = st.one_of(
    st.text(max_size=80),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.text(max_size=30), max_size=4).map(tuple),
)


@given(st.text(max_size=200), st.dictionaries(st.text(min_size=1, max_size=20), VALUES, max_size=9))
def test_a_card_is_short_whatever_the_item_says(title: str, attributes: dict[str, object]) -> None:
    card = item_card(Item("i", title, attributes), ())
    assert count_words(card) <= MAX_CARD_WORDS
    assert "\n" not in card


def test_a_card_holds_title_key_attributes_and_the_strongest_opinions() -> None:
    rows = [
        aspect_row("k1", "noise", "like", [("e1", "hardly any noise")], 0.9),
        aspect_row("k1", "lid", "dislike", [("e2", "loose")], 0.5),
        aspect_row("k1", "material", "context", [("e3", "material: steel")], 5.0),
    ]
    item = Item("k1", "Steel kettle", {"price": 45.0, "material": "steel", "cordless": True})
    assert item_card(item, rows) == (
        "Steel kettle. price: 45; material: steel; cordless: yes. + noise; - lid"
    )
    assert item_card(item, rows, {"behaviour": "4/5"}).endswith("behaviour 4/5")


def test_an_item_without_a_title_is_called_by_its_id() -> None:
    assert item_card(Item("sku 7", ""), ()) == "sku 7"


def test_chinese_is_counted_by_pairs_of_characters() -> None:
    assert count_words("安静的水壶 kettle") == 4
    assert first_words("安静的水壶", 2) == "安静的水"
    assert first_words("one two  three", 2) == "one two"


def test_bins_rank_each_source_in_fifths_and_mark_silence() -> None:
    pool = [Candidate(str(n), {"behaviour": float(n)}) for n in range(10)]
    pool.append(Candidate("x", {}))
    bins = source_bins(pool)
    assert [bins[str(n)]["behaviour"] for n in range(10)] == [
        "1/5", "1/5", "2/5", "2/5", "3/5", "3/5", "4/5", "4/5", "5/5", "5/5",
    ]  # fmt: skip
    assert bins["x"]["behaviour"] == "?"
