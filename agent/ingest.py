"""``palate ingest``: a data-set folder into the stores, row by row, as often as you like.

Everything is written in batches that can be repeated, in the order items, users,
interactions, reviews, pictures. There is no state beside the stores: a run that was
killed is finished by running it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from agent.intake import Intake
from agent.pictures import caption_pictures
from retrieval.errors import InvalidInput
from retrieval.ports import Captioner, Catalog, EventLog, Progress
from retrieval.sources.dataset import DataSet, Row, read_dataset
from retrieval.sources.records import TABLES, Table
from retrieval.sources.rejects import Reject, RejectsFile
from retrieval.sources.seen import SeenIds
from retrieval.types import Interaction, Item, Review, User

DERIVED = "ratings from reviews"
CREATED = "users created"
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did, by table.

    ``DERIVED`` counts the ratings that reviews gave, ``CREATED`` the users that only
    interactions and reviews name.

    ``read`` = ``new`` + ``unchanged`` + ``rejected`` for every table; "new" includes
    "different". ``rejects_path`` is ``None`` when nothing was rejected. ``captions`` is
    (pictures, captions written now, unusable pictures).
    """

    read: dict[str, int]
    new: dict[str, int]
    unchanged: dict[str, int]
    rejected: dict[str, int]
    rejects_path: Path | None
    captions: tuple[int, int, int]
    warnings: tuple[str, ...]
    first_rejects: tuple[Reject, ...]


def ingest(
    folder: Path,
    *,
    catalog: Catalog,
    event_log: EventLog,
    captioner: Captioner | None,
    strict: bool,
    progress: Progress,
    rejects_path: Path,
) -> IngestReport:
    """Read a data set into the stores. Idempotent; resumes where a killed run stopped.

    Args:
        folder: a data set as docs/dataset.md describes it.
        catalog: where items and users go.
        event_log: where interactions, reviews and evidence go.
        captioner: describes the pictures; ``None`` leaves them undescribed.
        strict: one bad row refuses the whole data set before anything is written.
        progress: told about every table.
        rejects_path: where the bad rows go, as JSON lines; removed when there are none.

    Raises:
        NotFound, InvalidInput: as ``read_dataset``; with ``strict`` also a bad row.
        StoreError: the stores failed; what was written stays, run again to go on.
    """
    with RejectsFile(rejects_path) as rejects:
        dataset = read_dataset(folder, rejects=rejects)
        # Without a users file, whoever acts is a user; with one, it says who they are.
        intake = Intake(catalog, event_log, create_users="users" not in dataset.files)
        if strict:
            _check(dataset, intake, progress)
        run = _Run(dataset, intake, progress)
        for table in TABLES:
            run.table(table)
        if intake.created_users:
            run.read[CREATED] = run.new[CREATED] = intake.created_users
        captions = (0, 0, 0)
        if captioner is not None:
            captions = caption_pictures(dataset, event_log, captioner, progress, rejects)
        return IngestReport(
            read=dict(run.read),
            new={name: run.new[name] for name in run.read},
            unchanged={
                name: run.read[name] - run.new[name] - rejects.counts[name] for name in run.read
            },
            rejected=dict(rejects.counts),
            rejects_path=rejects_path if rejects.total else None,
            captions=captions,
            warnings=tuple(rejects.warnings),
            first_rejects=tuple(rejects.first),
        )


class _Run:
    def __init__(self, dataset: DataSet, intake: Intake, progress: Progress) -> None:
        self._dataset = dataset
        self._intake = intake
        self._progress = progress
        self.read: Counter[str] = Counter()
        self.new: Counter[str] = Counter()

    def table(self, table: Table) -> None:
        """One table, batch by batch, each batch committed before the next is read."""
        if table not in self._dataset.files:
            return
        self._progress.start(table, self._dataset.total(table))
        rows = self._dataset.rows(table, advance=self._progress.advance)
        while batch := list(islice(rows, _BATCH)):
            if table in ("interactions", "reviews"):
                batch = list(_with_known_references(self._dataset, self._intake, table, batch))
            self._store(table, [row.record for row in batch])
        self.read[table] = self._dataset.read[table]

    def _store(self, table: Table, records: list[Any]) -> None:
        if table == "items":
            self.new[table] += self._intake.items(cast("list[Item]", records))
        elif table == "users":
            self.new[table] += self._intake.users(cast("list[User]", records))
        elif table == "interactions":
            self.new[table] += self._intake.interactions(cast("list[Interaction]", records))
        else:
            new, derived, new_derived = self._intake.reviews(cast("list[Review]", records))
            self.new[table] += new
            self.read[DERIVED] += derived
            self.new[DERIVED] += new_derived


def _check(dataset: DataSet, intake: Intake, progress: Progress) -> None:
    """Read everything and write nothing; the first pass of ``strict``.

    Raises:
        InvalidInput: at least one row is bad; the rejects file has them all.
    """
    rejects = dataset.rejects
    with closing(SeenIds()) as seen:
        for table in TABLES:
            if table not in dataset.files:
                continue
            progress.start(f"checking {table}", dataset.total(table))
            rows = dataset.rows(table, advance=progress.advance, seen=seen)
            while batch := list(islice(rows, _BATCH)):
                if table in ("interactions", "reviews"):
                    for _ in _with_known_references(dataset, intake, table, batch, seen):
                        pass
    if rejects.total:
        more = f" (and {rejects.total - 1:,} more)" if rejects.total > 1 else ""
        raise InvalidInput(
            f"{rejects.first[0]}{more}; nothing was written",
            f"mend the rows that {rejects.path} lists, or leave out --strict",
        )


def _with_known_references(
    dataset: DataSet,
    intake: Intake,
    table: Table,
    batch: list[Row[Any]],
    seen: SeenIds | None = None,
) -> Iterator[Row[Any]]:
    """The rows whose item and user exist; the others are rejected.

    ``seen`` adds the ids that stand in the data set and are not in the catalogue yet.
    """
    intake.look_up([row.record for row in batch])
    for row in batch:
        record = row.record
        problem = intake.problem(
            record,
            new_item=seen is not None and seen.has("items", record.item_id),
            new_user=seen is not None and seen.has("users", record.user_id),
        )
        if problem is None:
            yield row
        else:
            dataset.reject(table, row, *problem)
