from __future__ import annotations

import pytest

from retrieval.sources.encodings import guess_encoding, wide_without_bom


@pytest.mark.parametrize(
    ("text", "encoding", "guess"),
    [
        ("1,红酒", "gbk", "gb18030"),
        ("1,清新白葡萄酒\n2,长城干红，口感很好", "gbk", "gb18030"),
        ("1,清新白葡萄酒\n2,長城紅酒 好喝", "big5", "big5"),
        ("1,Café", "latin-1", "cp1252"),
        ("1,Rosé\n2,Château\n3,Crème brûlée", "latin-1", "cp1252"),
        ("1,Grüner Veltliner\n2,für Kenner", "cp1252", "cp1252"),
        ("1,“Quoted” – it’s nice, 5€", "cp1252", "cp1252"),
        ("1,Отличное вино", "cp1251", "cp1251"),
        ("1,とても美味しいワインです", "shift_jis", "shift-jis"),
        ("1,Café 红酒", "utf-8", "utf-8"),
    ],
)
def test_short_samples_are_told_apart(text: str, encoding: str, guess: str) -> None:
    lines = text.encode(encoding).split(b"\n")
    assert guess_encoding(lines) == guess
    assert [line.decode(guess) for line in lines] == text.split("\n")


def test_one_broken_line_does_not_change_the_guess() -> None:
    for encoding, guess in (("gbk", "gb18030"), ("utf-8", "utf-8")):
        lines = ["清新的白葡萄酒".encode(encoding)] * 9
        assert guess_encoding([*lines, b"\xff\xff\xff"]) == guess


def test_nothing_is_utf8() -> None:
    assert guess_encoding([]) == "utf-8"
    assert wide_without_bom(b"") == wide_without_bom(b"plain") == ""
