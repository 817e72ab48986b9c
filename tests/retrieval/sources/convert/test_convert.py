from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from retrieval.errors import InvalidInput, NotFound
from retrieval.sources.convert.registry import ConvertReport, convert
from retrieval.sources.dataset import DataSet, read_dataset
from retrieval.sources.rejects import RejectsFile
from retrieval.types import Item

WINES = (
    "WineID,WineName,Type,Elaborate,Grapes,Harmonize,ABV,Body,Acidity,Country,RegionName,"
    "WineryName,Vintages\n"
    "7,Origem,Red,Varietal/100%,['Merlot'],\"['Beef', 'Rich Fish']\",12.5,Full-bodied,High,"
    "Brazil,Serra Gaúcha,Casa,\"[2020, 2019, 1988, 'N.V.']\"\n"
    "8,1865,White,Varietal/100%,[],[],,Light,Low,Chile,R,1865,['N.V.']\n"
)
RATINGS = (
    "RatingID,UserID,WineID,Vintage,Rating,Date\n"
    "1,42,7,1950,4.5,2021-11-02 20:52:59\n2,43,8,N.V.,1.0,2015-08-20 17:46:26\n"
)


class Silent:
    """Progress that nobody watches."""

    def start(self, stage: str, total: int | None) -> None: ...

    def advance(self, n: int = 1) -> None: ...

    def note(self, text: str) -> None: ...


def run(kind: str, source: Path, target: Path, *, force: bool = False) -> ConvertReport:
    return convert(kind, source, target, force=force, progress=Silent())


def opened(folder: Path) -> tuple[DataSet, RejectsFile]:
    rejects = RejectsFile(None)
    return read_dataset(folder, rejects=rejects), rejects


@pytest.fixture
def wines(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    (folder / "images").mkdir(parents=True)
    (folder / "wines.csv").write_text(WINES, encoding="utf-8")
    (folder / "ratings.csv.gz").write_bytes(gzip.compress(RATINGS.encode()))
    (folder / "images" / "7.jpg").write_bytes(b"label")
    return folder


def test_xwines_become_items_with_lists_a_picture_and_a_span_of_years(
    wines: Path, tmp_path: Path
) -> None:
    report = run("xwines", wines, tmp_path / "out")
    assert report.rows == {"items": 2, "pictures": 1, "interactions": 2}
    dataset, rejects = opened(tmp_path / "out")
    origem, other = dataset.items()
    assert origem == Item(
        "7",
        "Origem",
        {
            "type": "Red",
            "elaborate": "Varietal/100%",
            "body": "Full-bodied",
            "acidity": "High",
            "country": "Brazil",
            "region": "Serra Gaúcha",
            "winery": "Casa",
            "grapes": ("Merlot",),
            "pairs with": ("Beef", "Rich Fish"),
            "alcohol percent": 12.5,
            "vintages": "1988–2020",
        },
        ("images/7.jpg",),
    )
    assert other.title == "1865"
    assert other.attributes["winery"] == "1865", "a name of digits stays a name"
    assert other.attributes["vintages"] == "no vintage"
    assert "grapes" not in other.attributes
    first, _ = dataset.interactions()
    assert (first.user_id, first.item_id, first.kind, first.value) == ("42", "7", "rating", 4.5)
    assert first.at.isoformat() == "2021-11-02T20:52:59+00:00"
    assert (rejects.total, rejects.warnings) == (0, [])


def test_pictures_are_linked_where_the_file_system_allows(wines: Path, tmp_path: Path) -> None:
    run("xwines", wines, tmp_path / "out")
    linked = tmp_path / "out" / "images" / "7.jpg"
    assert os.path.samefile(linked, wines / "images" / "7.jpg")


def test_pictures_are_copied_where_links_are_refused(
    wines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("other file system")

    monkeypatch.setattr(os, "link", refuse)
    run("xwines", wines, tmp_path / "out")
    assert (tmp_path / "out" / "images" / "7.jpg").read_bytes() == b"label"


def test_nothing_is_overwritten_without_force(wines: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "precious.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="out exists already") as caught:
        run("xwines", wines, target)
    assert "--force" in caught.value.hint
    assert (target / "precious.txt").exists()
    run("xwines", wines, target, force=True)
    assert not (target / "precious.txt").exists()
    assert (target / "items.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "published"]


def test_a_conversion_that_fails_leaves_nothing_and_loses_nothing(
    wines: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    run("xwines", wines, target)
    (wines / "ratings.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(InvalidInput, match=r"ratings\.csv\.gz cannot be read"):
        run("xwines", wines, target, force=True)
    assert opened(target)[0].files.keys() == {"items", "interactions"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "published"]


def test_a_target_that_is_a_file_or_the_source_is_refused(wines: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="is a file"):
        run("xwines", wines, tmp_path / "file", force=True)
    with pytest.raises(InvalidInput, match="is the source itself"):
        run("xwines", wines, wines, force=True)
    assert (wines / "wines.csv").exists()


def test_unknown_kinds_missing_files_and_other_files_are_named(wines: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'netflix' is no kind of published data"):
        run("netflix", wines, tmp_path / "out")
    with pytest.raises(NotFound, match=r"there is no .*nowhere"):
        run("xwines", tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(NotFound, match="has no films"):
        run("movielens", wines, tmp_path / "out")
    (wines / "wines.csv").write_text("id,name\n1,a\n")
    with pytest.raises(InvalidInput, match=r"wines\.csv lacks WineID, WineName"):
        run("xwines", wines, tmp_path / "out")
    (wines / "XWines_Slim_wines.csv").write_text(WINES)
    (wines / "XWines_Full_wines.csv").write_text(WINES)
    (wines / "wines.csv").unlink()
    with pytest.raises(InvalidInput, match="several files with wines"):
        run("xwines", wines, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def review(**changes: object) -> dict[str, object]:
    return {
        "reviewerID": "A1",
        "asin": "B0001",
        "reviewText": "Solid cable.",
        "summary": "Good",
        "overall": 5.0,
        "unixReviewTime": 1393545600,
    } | changes


def amazon(folder: Path, *lines: object) -> Path:
    folder.mkdir(exist_ok=True)
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    (folder / "reviews_X_5.json.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def test_amazon_reviews_give_items_named_by_their_id(tmp_path: Path) -> None:
    source = amazon(
        tmp_path / "src",
        review(),
        review(reviewerID="A2", reviewText=""),
        review(reviewerID="A3", reviewText="", summary=""),
        "{broken",
        {"asin": "B0001"},
    )
    report = run("amazon", source, tmp_path / "out")
    assert report.rows == {"reviews": 2, "interactions": 1, "items": 1}
    assert any("2 unreadable lines left out; the first: line 4" in n for n in report.notes)
    dataset, rejects = opened(tmp_path / "out")
    assert [item.title for item in dataset.items()] == ["item B0001"]
    assert [one.text for one in dataset.reviews()] == ["Good\nSolid cable.", "Good"]
    assert [one.user_id for one in dataset.interactions()] == ["A3"]
    assert rejects.total == 0


def test_amazon_metadata_gives_titles_also_as_python_literals(tmp_path: Path) -> None:
    source = amazon(tmp_path / "src", review(), review(asin="B0002"))
    meta = (
        "{'asin': 'B0001', 'title': 'Cable \\'10 ft\\'', 'price': 9.5, 'brand': 'Hosa',"
        " 'categories': [['Instruments', 'Cables'], ['Instruments']]}\n"
        "{'asin': 'B0009', 'title': 'Nobody reviewed this'}\n"
    )
    (source / "meta_X.json.gz").write_bytes(gzip.compress(meta.encode()))
    run("amazon", source / "reviews_X_5.json.gz", tmp_path / "out")
    first, second = opened(tmp_path / "out")[0].items()
    assert first.title == "Cable '10 ft'"
    assert first.attributes == {
        "brand": "Hosa", "price": 9.5, "categories": ("Instruments", "Cables"),
    }  # fmt: skip
    assert second.title == "item B0002"


def test_a_file_that_is_not_amazons_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not an Amazon file: line 1"):
        run("amazon", amazon(tmp_path / "src", "hello", "world"), tmp_path / "out")


def test_movielens_titles_years_genres_tags_and_posters(tmp_path: Path) -> None:
    source = tmp_path / "src"
    (source / "posters").mkdir(parents=True)
    (source / "posters" / "1.jpg").write_bytes(b"poster")
    (source / "movies.csv").write_text(
        'movieId,title,genres\n1,"Matrix, The (1999)",Action|Sci-Fi\n2,1984,(no genres listed)\n'
        "3,Twin Peaks (1990-1991),Drama\n"
    )
    (source / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n1,1,2.5,1260759144\n2,2,4.0,1260759179\n"
    )
    (source / "tags.csv").write_text(
        "userId,movieId,tag,timestamp\n1,1,Cyberpunk,5\n2,1,cyberpunk,6\n3,1,slow,7\n"
    )
    (source / "summaries.csv").write_text("movieId,summary\n1,A hacker wakes up.\n")
    run("movielens", source, tmp_path / "out")
    dataset, rejects = opened(tmp_path / "out")
    matrix, other, series = dataset.items()
    assert (matrix.title, matrix.media) == ("The Matrix", ("images/1.jpg",))
    assert matrix.attributes == {
        "year": 1999.0,
        "genres": ("Action", "Sci-Fi"),
        "tags": ("Cyberpunk", "slow"),
        "summary": "A hacker wakes up.",
    }
    assert (other.title, other.attributes) == ("1984", {})
    assert (series.title, series.attributes["year"]) == ("Twin Peaks", 1990.0)
    assert [one.value for one in dataset.interactions()] == [2.5, 4.0]
    assert rejects.total == 0
