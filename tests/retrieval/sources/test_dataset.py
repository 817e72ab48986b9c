from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.errors import InvalidInput, NotFound
from retrieval.sources.dataset import DataSet, read_dataset
from retrieval.sources.rejects import RejectsFile


def make(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


def opened(folder: Path, rejects: RejectsFile | None = None) -> DataSet:
    return read_dataset(folder, rejects=rejects or RejectsFile(None))


def test_the_three_formats_mean_the_same(tmp_path: Path) -> None:
    csv = make(tmp_path / "csv", items_csv="item_id,title,tags,price\n7,Seven,a|b,1.5\n8,Eight,,\n")
    rows = [
        {"item_id": 7, "title": "Seven", "tags": ["a", "b"], "price": 1.5},
        {"item_id": 8, "title": "Eight", "tags": None, "price": None},
    ]
    lines = make(tmp_path / "jsonl", items_jsonl="".join(f"{json.dumps(r)}\n" for r in rows))
    parquet = make(tmp_path / "parquet")
    pq.write_table(pa.Table.from_pylist(rows), parquet / "items.parquet")
    read = [list(opened(folder).items()) for folder in (csv, lines, parquet)]
    assert read[0] == read[1] == read[2]
    assert [item.item_id for item in read[0]] == ["7", "8"]


def test_bad_rows_are_reported_with_file_line_column_and_reason(tmp_path: Path) -> None:
    folder = make(
        tmp_path / "set",
        interactions_csv="user_id,item_id,kind,value,at\n"
        "u,i,rating,4,2024-01-01\n"
        "u,i,rating,NaN,2024-01-02\n"
        "u,i,rating,4,1969-01-01\n",
    )
    path = tmp_path / "out" / "rejects.jsonl"
    with RejectsFile(path) as rejects:
        assert len(list(opened(folder, rejects).interactions())) == 1
        assert not path.exists()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "file": "interactions.csv",
            "line": 3,
            "column": "value",
            "reason": "'NaN' is not a finite number",
            "raw": "u,i,rating,NaN,2024-01-02",
        },
        {
            "file": "interactions.csv",
            "line": 4,
            "column": "at",
            "reason": "'1969-01-01' is before 1970",
            "raw": "u,i,rating,4,1969-01-01",
        },
    ]
    assert str(rejects.first[0]) == ("interactions.csv, line 3: value 'NaN' is not a finite number")
    assert not list(path.parent.glob("*.part"))


def test_a_rejects_file_of_an_earlier_run_goes_when_there_is_nothing_to_report(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rejects.jsonl"
    path.write_text("old")
    with RejectsFile(path):
        assert path.exists()
    assert not path.exists()


def test_two_runs_at_once_write_files_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    dead = tmp_path / "rejects.jsonl.999999999.part"
    alive = tmp_path / f"rejects.jsonl.{os.getppid()}.part"
    for other in (dead, alive):
        other.write_text("of another run")
    with RejectsFile(path) as rejects:
        rejects.add("items", "items.csv", 2, "title", "is missing", "x")
    assert not dead.exists()
    assert alive.exists()
    assert len(path.read_text().splitlines()) == 1


def test_a_long_raw_row_is_cut_in_the_rejects_file(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with RejectsFile(path) as rejects:
        rejects.add("items", "items.csv", 2, "", "too long", "x" * 100_000)
    assert len(json.loads(path.read_text())["raw"]) == 1001


def test_of_two_rows_with_one_id_the_first_stands(tmp_path: Path) -> None:
    folder = make(tmp_path / "set", items_csv="item_id,title\na,first\nb,b\na,first\na,second\n")
    rejects = RejectsFile(None)
    items = list(opened(folder, rejects).items())
    assert [(item.item_id, item.title) for item in items] == [("a", "first"), ("b", "b")]
    (reject,) = rejects.first
    assert (reject.line, reject.column) == (5, "item_id")
    assert reject.reason == "'a' stands on line 2 already, with other content"


def test_pictures_are_found_by_column_and_by_name(tmp_path: Path) -> None:
    folder = make(
        tmp_path / "set",
        items_csv="item_id,title,image\n1,one,\n2,two,front.png|images/back.png\n"
        "3,three,gone.png\n../4,four,\n5,five,../secret.png\n" + "x" * 900 + ",six,\n",
    )
    (folder / "images").mkdir()
    for name in ("images/1.jpg", "images/front.png", "images/back.png", "4.jpg", "secret.png"):
        (folder / name).write_bytes(b"picture")
    (folder / "images" / "link.png").symlink_to(folder / "secret.png")
    rejects = RejectsFile(None)
    media = {item.item_id[:4]: item.media for item in opened(folder, rejects).items()}
    assert media == {
        "1": ("images/1.jpg",),
        "2": ("images/front.png", "images/back.png"),
        "3": (),
        "../4": (),
        "xxxx": (),
    }
    assert rejects.warnings == ["items.csv, line 4: no picture 'images/gone.png'"]
    assert [reject.column for reject in rejects.first] == ["image"]
    with (folder / "items.csv").open("a") as stream:
        stream.write("7,seven,link.png\n")
    assert list(opened(folder).items())[-1].media == ()


def test_known_columns_in_any_case_and_unused_columns_are_mentioned(tmp_path: Path) -> None:
    folder = make(
        tmp_path / "set", interactions_csv="User_ID,ITEM_ID,At,Vintage\nu,i,2024-01-01,1999\n"
    )
    rejects = RejectsFile(None)
    (interaction,) = opened(folder, rejects).interactions()
    assert (interaction.kind, interaction.value) == ("view", 1.0)
    assert rejects.warnings == ["interactions.csv: ignored column Vintage"]


def test_a_header_without_rows_is_no_error(tmp_path: Path) -> None:
    folder = make(tmp_path / "set", items_csv="item_id,title\n")
    assert not list(opened(folder).items())
    assert not list(opened(folder).users())


def test_an_encoding_that_is_not_utf8_is_mentioned(tmp_path: Path) -> None:
    folder = make(tmp_path / "set")
    (folder / "items.csv").write_bytes("item_id,title\n1,清新白葡萄酒\n".encode("gbk"))
    rejects = RejectsFile(None)
    assert [item.title for item in opened(folder, rejects).items()] == ["清新白葡萄酒"]
    assert rejects.warnings == ["items.csv: not UTF-8, read as gb18030"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no folder .*nowhere"):
        opened(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no table: it is empty"),
        ({"wines_csv": "a"}, "holds no table: it has wines.csv"),
        ({"items_csv": "item_id,title\n", "items_jsonl": "{}"}, "one table, one file"),
        ({"items_csv": "id,name\n"}, "lacks the column item_id, title; it has 'id', 'name'"),
        ({"users_csv": ""}, "users.csv is empty"),
    ],
)
def test_a_folder_that_is_no_data_set_is_named(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        opened(make(tmp_path / "set", **files))


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,title\n")
    with pytest.raises(InvalidInput, match="is a file, not a data-set folder"):
        opened(path)
    folder = tmp_path / "set"
    (folder / "items.csv").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"items\.csv cannot be read"):
        opened(folder)
