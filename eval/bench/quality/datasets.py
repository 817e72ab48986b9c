"""The data sets of the benchmark, by name, each as one log with what its items are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from eval.config import DataConfig
from eval.data import load_log
from eval.games import published_rows
from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Progress
from retrieval.types import Interaction, Item

_START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Known:
    """A published data set: how its folder is read.

    ``genre`` is the attribute whose shares calibration compares; "" where there is none.
    ``pictures`` is the folder of ``ID.jpg``; ``reference`` names the config that repeats the
    reference rows.
    """

    format: Literal["xwines", "movielens", "amazon", "games6k"]
    folder: str
    genre: str = ""
    pictures: str = ""
    reference: str = ""


KNOWN: Mapping[str, Known] = {
    "xwines": Known("xwines", "xwines", "type", "images", "xwines-reference"),
    "musical-instruments": Known(
        "amazon", "musical_instruments", reference="musical-instruments-reference"
    ),
    "movielens": Known("movielens", "movielens", "genres", "posters", "movielens-reference"),
    "games6k": Known("games6k", "games6k"),
}


@dataclass(frozen=True, eq=False)
class BenchData:
    """One data set.

    Attributes:
        name: as asked for.
        interactions: the log; its order decides between equal instants.
        items: the catalogue, in the order of the columns.
        pictures: files by item id; empty where there are none.
        genre: attribute for calibration; "" = none.
        dated: whether the instants mean something; an order alone allows no temporal split.
        held: what the data set itself holds back, by user; empty where it holds nothing.
        lists: published candidates of each user in ``held``.
        reference: config of the reference rows; "" = none.
    """

    name: str
    interactions: Sequence[Interaction]
    items: Sequence[Item]
    pictures: Mapping[str, Path] = field(default_factory=dict)
    genre: str = ""
    dated: bool = True
    held: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reference: str = ""

    @property
    def catalogue(self) -> list[str]:
        """Every item id, in the order of the columns."""
        return [item.item_id for item in self.items]

    @property
    def sha256(self) -> str:
        """Digest of the log, the held items and the catalogue."""
        digest = hashlib.sha256()
        for x in self.interactions:
            line = f"{x.user_id}\t{x.item_id}\t{x.kind}\t{x.value!r}\t{x.at.timestamp()!r}\n"
            digest.update(line.encode())
        for user, item in self.held.items():
            digest.update(f"{user}\t{item}\n".encode())
        digest.update("\n".join(self.catalogue).encode())
        return digest.hexdigest()


def load_data(name: str, root: Path, progress: Progress) -> BenchData:
    """A data set by its name, or a data-set folder of Palate's own format by its path.

    Args:
        name: a key of ``KNOWN``, or a path.
        root: folder of the published data sets.
        progress: told about every file.

    Raises:
        NotFound: no such name and no such folder.
        InvalidInput: its files are not what they should be.
    """
    known = KNOWN.get(name)
    if known is None:
        folder = Path(name)
        if not folder.is_dir():
            raise NotFound(
                f"no data set is named {name!r}, and there is no such folder",
                f"the names are {', '.join(KNOWN)}; or give the path of a data-set folder",
            )
        log = load_log(DataConfig(path=folder.absolute()), progress)
        media = {item.item_id: folder / item.media[0] for item in log.items if item.media}
        return BenchData(folder.name, log.interactions, log.items, media)
    folder = root / known.folder
    if not folder.is_dir():
        raise NotFound(f"there is no {folder}", "set PALATE_REAL_DATA, or leave the set out")
    if known.format == "games6k":
        return _games(name, folder)
    log = load_log(DataConfig(format=known.format, path=folder), progress)
    shown = {} if not known.pictures else {
        item.item_id: path
        for item in log.items
        if (path := folder / known.pictures / f"{item.item_id}.jpg").is_file()
    }  # fmt: skip
    return BenchData(
        name, log.interactions, log.items, shown, known.genre, reference=known.reference
    )


def _games(name: str, folder: Path) -> BenchData:
    """Histories have an order and no dates: a step counts as a day."""
    items = [Item(one, title) for one, title in published_rows(folder / "Games-6k.item.gz", 2)]
    lists = {
        user: ids.split()
        for user, ids in published_rows(folder / "Games-6k.random.gz", 2, head=False)
    }
    events: list[Interaction] = []
    held: dict[str, str] = {}
    for user, history, positive in published_rows(folder / "Games-6k.test.inter.gz", 3):
        events += [
            Interaction(user, item, "purchase", 1.0, _START + timedelta(days=at))
            for at, item in enumerate(history.split())
        ]
        if user in lists:
            held[user] = positive
    if not held:
        raise InvalidInput(f"{folder} has candidates for nobody", "take the files as published")
    return BenchData(name, events, items, dated=False, held=held, lists=lists)
