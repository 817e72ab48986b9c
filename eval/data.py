"""The log that an evaluation reads: a data-set folder, or published files converted on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.config import DataConfig
from retrieval.errors import InvalidInput
from retrieval.ports import Progress
from retrieval.sources.convert.registry import convert
from retrieval.sources.dataset import DataSet, read_dataset
from retrieval.sources.rejects import RejectsFile
from retrieval.types import Interaction, Item, User


@dataclass(frozen=True, slots=True)
class Log:
    """Interactions in file order, every item in catalogue order, and the users who are listed."""

    interactions: Sequence[Interaction]
    items: Sequence[Item]
    users: Sequence[User] = ()

    @property
    def catalogue(self) -> list[str]:
        """Every item id."""
        return [item.item_id for item in self.items]


def load_log(config: DataConfig, progress: Progress) -> Log:
    """Read the interactions; a rated review counts as one, as it does at ingest.

    Raises:
        InvalidInput: a row is bad: an evaluation on part of the data has another meaning.
        NotFound: no such folder or file.
    """
    if config.format == "palate":
        return _read(config.path, progress)
    with tempfile.TemporaryDirectory(prefix="palate-eval-") as folder:
        target = Path(folder) / config.format
        convert(config.format, config.path, target, force=False, progress=progress)
        return _read(target, progress)


def _read(folder: Path, progress: Progress) -> Log:
    with RejectsFile(None) as rejects:
        data = read_dataset(folder, rejects=rejects)
        items, users = list(data.items()), list(data.users())
        interactions = _interactions(data, progress)
        if rejects.first:
            raise InvalidInput(
                f"{folder}: {sum(rejects.counts.values())} bad rows, first {rejects.first[0]}",
                "mend the data set; `palate ingest` writes every bad row to a file",
            )
    return Log(interactions, items, users)


def _interactions(data: DataSet, progress: Progress) -> list[Interaction]:
    progress.start("read interactions", data.total("interactions") + data.total("reviews"))
    found = [row.record for row in data.rows("interactions", advance=progress.advance)]
    interactions = [record for record in found if isinstance(record, Interaction)]
    known = {(x.user_id, x.item_id) for x in interactions if x.kind == "rating"}
    for review in data.reviews():
        if review.rating is not None and (review.user_id, review.item_id) not in known:
            interactions.append(
                Interaction(review.user_id, review.item_id, "rating", review.rating, review.at)
            )
    return interactions
