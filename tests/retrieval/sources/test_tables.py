from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.sources.lines import MAX_LINE_BYTES, look_at
from retrieval.sources.tables import RawRow, TableFile

KNOWN = ("item_id", "title", "image")
CHINESE = "item_id,title,text\n" + "".join(
    f"{n},清新的白葡萄酒,这款酒口感清爽，果香浓郁，推荐给喜欢海鲜的朋友\n" for n in range(20)
)
FRENCH = "item_id,title,text\n" + "".join(
    f"{n},Château Léoville,Très bon vin, élégant et fruité à la fois\n".replace(", é", " é")
    for n in range(20)
)


def read(path: Path, data: bytes | str) -> list[RawRow]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(TableFile(path, KNOWN).rows())


def cells(rows: list[RawRow], column: str = "title") -> list[str]:
    return [row.values[column] for row in rows if not row.problem]


def test_csv_rows_carry_their_true_line_also_after_quoted_line_breaks(tmp_path: Path) -> None:
    rows = read(
        tmp_path / "items.csv",
        'item_id,title\r\n1,"two\r\nlines"\r\n\r\n2,"a ""b"", c"\r\n3,plain',
    )
    assert [(row.line, row.lines, row.values["title"]) for row in rows] == [
        (2, 2, "two\nlines"),
        (5, 1, 'a "b", c'),
        (6, 1, "plain"),
    ]


def test_a_quote_that_never_closes_costs_one_line(tmp_path: Path) -> None:
    rows = read(tmp_path / "items.csv", 'item_id,title\n1,one\n2,"open\n3,three\n4,four\n')
    assert cells(rows) == ["one", "three", "four"]
    (bad,) = [row for row in rows if row.problem]
    assert (bad.line, bad.raw) == (3, '2,"open')
    assert "a quote opens here and does not close" in bad.problem


def test_a_stray_quote_that_meets_another_costs_only_the_lines_with_quotes(tmp_path: Path) -> None:
    text = 'item_id,title\n1,"open\n2,two\n3,"also open\n4,four\n5,"fine, really"\n'
    rows = read(tmp_path / "items.csv", text)
    assert cells(rows) == ["two", "four", "fine, really"]
    assert [row.line for row in rows if row.problem] == [2, 4]


def test_an_unclosed_quote_before_megabytes_of_rows_loses_none_of_them(tmp_path: Path) -> None:
    many = "".join(f"{n},a title of some length that fills the file\n" for n in range(40_000))
    rows = read(tmp_path / "items.csv", f'item_id,title\nx,"open\n{many}')
    assert len(cells(rows)) == 40_000
    assert [row.line for row in rows if row.problem] == [2]


def test_a_quote_inside_a_word_is_only_a_quote(tmp_path: Path) -> None:
    assert cells(read(tmp_path / "items.csv", 'item_id,title\n1,5" pipe\n')) == ['5" pipe']


def test_a_row_with_too_many_or_too_few_cells_is_named(tmp_path: Path) -> None:
    rows = read(tmp_path / "items.csv", "item_id,title\n1\n2,b,c\n3,d\n")
    assert [row.problem for row in rows] == [
        "has 1 cells where the header has 2",
        "has 3 cells where the header has 2",
        "",
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_comma_semicolon_and_tab_are_told_by_the_header(tmp_path: Path, delimiter: str) -> None:
    text = "Item_ID,Title,Price EUR\n1,one,2\n".replace(",", delimiter)
    (row,) = read(tmp_path / "items.csv", text)
    assert row.values == {"item_id": "1", "title": "one", "Price EUR": "2"}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-32"),
        (FRENCH, "latin-1"),
        (FRENCH, "cp1252"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "utf-8"),
    ],
)
def test_the_encoding_of_a_file_is_found(tmp_path: Path, text: str, encoding: str) -> None:
    rows = read(tmp_path / "items.csv", text.encode(encoding))
    assert [row.problem for row in rows] == [""] * 20
    expected = [line.split(",") for line in text.splitlines()[1:]]
    assert [list(row.values.values()) for row in rows] == expected


def test_a_broken_character_in_a_utf8_file_costs_one_line(tmp_path: Path) -> None:
    lines = CHINESE.encode().splitlines(keepends=True)
    lines[5] = lines[5].replace(b"\xe9", b"\xff", 1)
    rows = read(tmp_path / "items.csv", b"".join(lines))
    assert [row.line for row in rows if row.problem] == [6]
    assert "not valid utf-8 at byte" in rows[4].problem


def test_the_first_foreign_character_may_stand_far_down(tmp_path: Path) -> None:
    plain = "item_id,title,text\n" + "1,plain,plain\n" * 50_000
    rows = read(tmp_path / "items.csv", plain.encode() + FRENCH.encode("latin-1")[19:])
    assert not [row for row in rows if row.problem]
    assert cells(rows)[-1] == "Château Léoville"


def test_nul_bytes_cost_the_line_that_holds_them(tmp_path: Path) -> None:
    rows = read(tmp_path / "items.csv", "item_id,title\n1,one\n2,t\x00wo\n3,three\n")
    assert cells(rows) == ["one", "three"]
    assert [(row.line, row.problem) for row in rows if row.problem] == [(3, "contains a NUL byte")]


@pytest.mark.parametrize(("name", "size"), [("items.csv", 500_000_000), ("items.jsonl", 9_000_000)])
def test_a_line_of_500_mb_is_passed_over_in_little_memory(
    tmp_path: Path, name: str, size: int
) -> None:
    path = tmp_path / name
    start, end = ("item_id,title\n1,one\n", "\n2,two\n")
    if name.endswith(".jsonl"):
        start, end = '{"item_id":1,"title":"one"}\n', '\n{"item_id":2,"title":"two"}\n'
    with path.open("wb") as stream:
        stream.write(start.encode())
        stream.seek(size, io.SEEK_CUR)  # a hole: reads as NULs, takes no disk
        stream.write(end.encode())
    tracemalloc.start()
    rows = list(TableFile(path, KNOWN).rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cells(rows) == ["one", "two"]
    (bad,) = [row for row in rows if row.problem]
    assert bad.problem == f"line has {size:,} bytes, at most 1,048,576 are read"
    assert len(bad.raw) < 5_000
    assert peak < 12 * MAX_LINE_BYTES


def test_a_review_of_100_000_characters_fits_in_a_line(tmp_path: Path) -> None:
    text = "很" * 100_000
    (row,) = read(tmp_path / "items.csv", f'item_id,title\n1,"{text}"\n')
    assert row.values["title"] == text
    (row,) = read(tmp_path / "items.jsonl", json.dumps({"title": text}) + "\n")
    assert row.values["title"] == text


def test_bad_json_is_named_and_blank_lines_are_not(tmp_path: Path) -> None:
    rows = read(
        tmp_path / "reviews.jsonl",
        '\ufeff{"a": 1}\n\n{"a": \n[1, 2]\n"text"\n{"a": ' + "9" * 5000 + "}\n"
        f"{'[' * 100_000}\n" + '{"a": "é"}',
    )
    assert [(row.line, row.problem.split(":")[0]) for row in rows] == [
        (1, ""),
        (3, "not valid JSON at character 7"),
        (4, "not a JSON object but [1, 2]"),
        (5, "not a JSON object but 'text'"),
        (6, "not usable JSON"),
        (7, "not usable JSON"),
        (8, ""),
    ]


def test_gzip_is_read_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv.gz"
    data = gzip.compress(b"item_id,title\n1,one\n")
    assert cells(read(path, data)) == ["one"]
    path.write_bytes(data[:-9])
    with pytest.raises(InvalidInput, match=r"ratings\.csv\.gz cannot be read"):
        TableFile(path)


def test_parquet_rows_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    at = datetime(2024, 5, 1, 10, 0, 0, 123000)  # noqa: DTZ001
    table = pa.table(
        {
            "Item_ID": [1, 2],
            "title": pa.array(["one", "two"]).dictionary_encode(),
            "at": pa.array([at, None], pa.timestamp("ns")),
            "tags": [["a", "b"], None],
            "price": [1.5, float("nan")],
        }
    )
    pq.write_table(table, path)
    file = TableFile(path, KNOWN)
    assert (file.total, file.typed) == (2, True)
    one, two = file.rows()
    assert one.values == {
        "item_id": 1, "title": "one", "at": at, "tags": ["a", "b"], "price": 1.5,
    }  # fmt: skip
    assert (two.line, two.values["at"], two.values["tags"]) == (2, None, None)


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    path.write_bytes(b"PAR1 this is not parquet PAR1")
    with pytest.raises(InvalidInput, match=r"items\.parquet is not a readable Parquet file"):
        TableFile(path)


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=r"items\.csv is empty"):
        TableFile(path, KNOWN)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("item_id,title,title", "two columns are named 'title'"),
        ("item_id,,title", "column 2 has no name"),
        ("item_id,ti\x00tle", "contains a NUL byte"),
    ],
)
def test_a_broken_header_is_named(tmp_path: Path, header: str, problem: str) -> None:
    path = tmp_path / "items.csv"
    path.write_text(f"{header}\n1,2,3\n")
    with pytest.raises(InvalidInput, match=problem):
        TableFile(path, KNOWN)


def test_old_mac_line_ends_are_understood(tmp_path: Path) -> None:
    rows = read(tmp_path / "items.csv", "item_id,title\r1,one\r2,two\r")
    assert [(row.line, row.values["title"]) for row in rows] == [(2, "one"), (3, "two")]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"])),
            st.text(st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"])),
        ).filter(lambda pair: pair[0].strip() and not pair[0][0].isspace()),
        min_size=1,
        max_size=8,
    )
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "items.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerows([("item_id", "title"), *pairs])
    rows = list(TableFile(path, KNOWN).rows())
    assert [(row.values["item_id"], row.values["title"]) for row in rows] == pairs
    lines = path.read_bytes().decode().split("\n")
    for row in rows:
        assert lines[row.line - 1].startswith('"')


@given(st.binary(max_size=400))
def test_any_bytes_give_rows_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("items.csv", "items.jsonl", "items.parquet"):
        (folder / name).write_bytes(data)
        with suppress(InvalidInput):
            look_at(folder / name)
            list(TableFile(folder / name, KNOWN).rows())
