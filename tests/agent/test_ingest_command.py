"""``palate ingest`` and ``palate convert`` as commands: exit codes, words, what is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.cli.main import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "items.csv").write_text("item_id,title\n1,[red]One[/red]\n2,\n")
    (folder / "interactions.csv").write_text("user_id,item_id,at\nu,1,5\nu,9,5\n")
    return folder


def call(tmp_path: Path, *arguments: str) -> int:
    return main(["--home", str(tmp_path / "home"), *arguments])


def test_ingest_prints_a_table_and_where_the_bad_rows_are(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path, "ingest", str(data)) == 0
    said = capsys.readouterr()
    assert "interactions" in said.out
    assert "unchanged" in said.out
    assert "rejected: items.csv, line 3: title is empty" in said.err
    assert "rejected: interactions.csv, line 3: item_id '9' is not in the catalogue" in said.err
    assert str(tmp_path / "home" / "rejects.jsonl") in said.err


def test_ingest_strict_fails_with_one_line_and_a_hint(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "bad rows.jsonl"
    assert call(tmp_path, "ingest", str(data), "--strict", "--rejects", str(own)) == 2
    said = capsys.readouterr()
    assert "error: items.csv, line 3: title is empty (and 1 more); nothing was written" in said.err
    assert "hint: mend the rows that" in said.err
    assert len(own.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [("nowhere", 3, "there is no folder"), ("data/items.csv", 2, "is a file, not a data-set")],
)
def test_a_wrong_path_is_one_line(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str],
    path: str, code: int, message: str,
) -> None:  # fmt: skip
    assert call(tmp_path, "ingest", str(tmp_path / path)) == code
    assert message in capsys.readouterr().err


def test_convert_makes_a_folder_that_ingest_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "ml"
    source.mkdir()
    (source / "movies.csv").write_text("movieId,title,genres\n1,Jumanji (1995),Adventure\n")
    (source / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,2.5,1260759144\n")
    assert call(tmp_path, "convert", "movielens", str(source), str(tmp_path / "out")) == 0
    assert "1 items, 1 interactions" in capsys.readouterr().out
    assert call(tmp_path, "ingest", str(tmp_path / "out"), "--strict") == 0
    capsys.readouterr()
    assert call(tmp_path, "convert", "movielens", str(source), str(tmp_path / "out")) == 2
    assert "hint: give --force to replace it" in capsys.readouterr().err
