"""MovieLens (Harper, Konstan, doi:10.1145/2827872): ratings, films, tags.

``ratings.csv``, ``movies.csv``, optionally ``tags.csv``, ``summaries.csv`` (movieId,
summary) and ``posters/{movieId}.jpg``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from retrieval.ports import Progress
from retrieval.sources.clean import clean_text
from retrieval.sources.convert.published import find_file, find_optional, read_published
from retrieval.sources.convert.writer import DataSetWriter, as_text

_COLUMNS = ("item_id", "title", "image", "year", "genres", "tags", "summary")
_TITLE = re.compile(r"(?P<title>.*?)\s*\((?P<year>(?:18|19|20)\d\d)(?:[-–](?:\d{4})?)?\)\s*")
_ARTICLE = re.compile(r"(?P<rest>.*), (?P<article>The|A|An|Les|Le|La|L'|Der|Die|Das|El|Il|Los|Las)")
_NO_GENRES = "(no genres listed)"
_MOST_TAGS = 20


def convert_movielens(source: Path, writer: DataSetWriter, progress: Progress) -> None:
    """Write items and interactions (kind rating). Tags become an attribute of the film.

    ``"Matrix, The (1999)"`` is split into title ``The Matrix`` and year 1999.
    """
    movies = find_file(source, ("movies.csv", "movies.csv.gz"), what="films")
    ratings = find_file(source, ("ratings.csv", "ratings.csv.gz"), what="ratings")
    tags = _tags(source, writer, progress)
    summaries = _summaries(source, writer, progress)
    writer.columns("items", _COLUMNS)
    for row in read_published(movies, ("movieId", "title", "genres"), writer, progress):
        movie = row.values["movieId"].strip()
        title, year = _title_and_year(row.values["title"])
        picture = f"{movie}.jpg"
        has_poster = writer.picture(movies.parent / "posters" / picture, picture)
        genres = row.values["genres"].strip()
        writer.row(
            "items",
            {
                "item_id": movie,
                "title": title,
                "image": picture if has_poster else None,
                "year": year,
                "genres": genres.split("|") if genres and genres != _NO_GENRES else None,
                "tags": [tag for tag, _ in tags[movie].most_common(_MOST_TAGS)] or None,
                "summary": as_text(summaries.get(movie, "")),
            },
        )
    writer.columns("interactions", ("user_id", "item_id", "kind", "value", "at"))
    required = ("userId", "movieId", "rating", "timestamp")
    for row in read_published(ratings, required, writer, progress):
        user, movie, value, at = (row.values[name] for name in required)
        writer.row(
            "interactions",
            {"user_id": user, "item_id": movie, "kind": "rating", "value": value, "at": at},
        )


def _tags(
    source: Path, writer: DataSetWriter, progress: Progress
) -> defaultdict[str, Counter[str]]:
    """Tags of each film with the number of people who gave them, the case of the first kept."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    path = find_optional(source, ("tags.csv", "tags.csv.gz"))
    if path is None:
        return counts
    spelling: dict[str, str] = {}
    for row in read_published(path, ("movieId", "tag"), writer, progress):
        if tag := clean_text(row.values["tag"]):
            written = spelling.setdefault(tag.casefold(), tag)
            counts[row.values["movieId"].strip()][written] += 1
    return counts


def _summaries(source: Path, writer: DataSetWriter, progress: Progress) -> dict[str, str]:
    path = find_optional(source, ("summaries.csv", "summaries.csv.gz"))
    if path is None:
        return {}
    rows = read_published(path, ("movieId", "summary"), writer, progress)
    return {row.values["movieId"].strip(): row.values["summary"] for row in rows}


def _title_and_year(published: str) -> tuple[str, int | None]:
    match = _TITLE.fullmatch(published.strip())
    title, year = (match["title"], int(match["year"])) if match else (published.strip(), None)
    article = _ARTICLE.fullmatch(title)
    if article is None:
        return title, year
    space = "" if article["article"].endswith("'") else " "
    return f"{article['article']}{space}{article['rest']}", year
