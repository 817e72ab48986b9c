"""Keyed hashes of user ids."""

import threading
from pathlib import Path

import pytest

from agent.pseudonyms import KEY_FILE, Pseudonyms, is_pseudonym, open_pseudonyms, read_pseudonyms
from retrieval.errors import InvalidInput


def test_a_user_has_one_pseudonym_a_key() -> None:
    first, second = Pseudonyms(b"k" * 32), Pseudonyms(b"l" * 32)
    assert first.of("u1") == Pseudonyms(b"k" * 32).of("u1")
    assert len({first.of("u1"), first.of("u2"), second.of("u1"), first.of("")}) == 4
    assert is_pseudonym(first.of("张三 \ud800"))
    assert "u1" not in first.of("u1")


@pytest.mark.parametrize("user_id", ["", "~", "u1", "~abc", "a" * 32, "~" + "g" * 32])
def test_an_ordinary_id_is_no_pseudonym(user_id: str) -> None:
    assert not is_pseudonym(user_id)


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert read_pseudonyms(tmp_path) is None
    named = open_pseudonyms(tmp_path).of("u1")
    again = read_pseudonyms(tmp_path)
    assert again is not None
    assert again.of("u1") == named
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_whoever_comes_second_takes_the_first_ones_key(tmp_path: Path) -> None:
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda: names.append(open_pseudonyms(tmp_path).of("u1")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1


@pytest.mark.parametrize("content", ["", "no hex", "abcd"])
def test_a_broken_key_is_no_reason_to_make_another(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content, encoding="ascii")
    with pytest.raises(InvalidInput, match=KEY_FILE):
        open_pseudonyms(tmp_path)
    assert (tmp_path / KEY_FILE).read_text(encoding="ascii") == content


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be written"):
        open_pseudonyms(tmp_path / "gone")
