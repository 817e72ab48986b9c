"""X-Wines (Xavier, Brandão, de Campos, doi:10.3390/bdcc7010020): wines, ratings, label photos.

``wines.csv`` or ``XWines_*_wines.csv`` with Python list literals, ``ratings.csv[.gz]`` or
``XWines_*_ratings.csv``, and optionally ``images/{WineID}.jpg``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from retrieval.ports import Progress
from retrieval.sources.convert.published import find_file, read_published
from retrieval.sources.convert.writer import DataSetWriter, as_text

_WINES = ("wines.csv", "wines.csv.gz", "XWines_*wines.csv", "XWines_*wines.csv.gz")
_RATINGS = ("ratings.csv", "ratings.csv.gz", "XWines_*ratings.csv", "XWines_*ratings.csv.gz")
# What a shopper would ask for, under names that read well in a sentence.
_TEXT = {
    "type": "Type",
    "elaborate": "Elaborate",
    "body": "Body",
    "acidity": "Acidity",
    "country": "Country",
    "region": "RegionName",
    "winery": "WineryName",
}
_LISTS = {"grapes": "Grapes", "pairs with": "Harmonize"}
_COLUMNS = ("item_id", "title", "image", *_TEXT, *_LISTS, "alcohol percent", "vintages")


def convert_xwines(source: Path, writer: DataSetWriter, progress: Progress) -> None:
    """Write items and interactions (kind rating); vintages become ``oldest–newest``."""
    wines = find_file(source, _WINES, what="wines")
    ratings = find_file(source, _RATINGS, what="ratings")
    writer.columns("items", _COLUMNS)
    for row in read_published(wines, ("WineID", "WineName", *_TEXT.values()), writer, progress):
        writer.row("items", _item(row.values, wines.parent, writer))
    writer.columns("interactions", ("user_id", "item_id", "kind", "value", "at"))
    required = ("UserID", "WineID", "Rating", "Date")
    for row in read_published(ratings, required, writer, progress):
        writer.row(
            "interactions",
            {
                "user_id": row.values["UserID"],
                "item_id": row.values["WineID"],
                "kind": "rating",
                "value": row.values["Rating"],
                "at": row.values["Date"].replace(" ", "T") + "Z",
            },
        )


def _item(values: Mapping[str, str], folder: Path, writer: DataSetWriter) -> dict[str, object]:
    wine = values["WineID"].strip()
    picture = f"{wine}.jpg"
    item: dict[str, object] = {
        "item_id": wine,
        "title": values["WineName"],
        "image": picture if writer.picture(folder / "images" / picture, picture) else None,
        "alcohol percent": values.get("ABV"),
        "vintages": _span(_literal(values.get("Vintages", ""))),
    }
    item.update({name: as_text(values[column]) for name, column in _TEXT.items()})
    item.update({name: _literal(values.get(column, "")) for name, column in _LISTS.items()})
    return item


def _literal(text: str) -> list[str]:
    """``"['Pork', 'Rich Fish']"`` as a list; text that is no list is its only element."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    values = value if isinstance(value, list | tuple) else [value]
    return [str(one) for one in values if str(one).strip()]


def _span(vintages: list[str]) -> str | None:
    """Forty years say little one by one; their span does. N.V. is a wine without a year."""
    years = sorted(int(year) for year in vintages if year.isdigit())
    if not years:
        return "no vintage" if vintages else None
    return f"{years[0]}–{years[-1]}" if years[0] != years[-1] else f"since {years[0]}"
