"""The run as the page's sections read it: its record, its rows and its judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eval.records.record import Comparison, RunRecord, System, read_record
from eval.records.tables import Judgement, Row, read_judgements, read_prompts, read_rows
from eval.records.trec import QRELS, read_qrels
from prompts.prompt import Turn

BASE = "S"


@dataclass
class ShownRun:
    """One finished prompt run, read from its folder.

    Attributes:
        folder: where the conversations are; only those that are asked for are read.
        record: ``record.json``.
        rows: of every system and query, in file order.
        judgements: of every judged item.
        relevant: items to find by query id; empty when the run has no qrels.
    """

    folder: Path
    record: RunRecord
    rows: Sequence[Row]
    judgements: Sequence[Judgement]
    relevant: Mapping[str, frozenset[str]]

    @property
    def variants(self) -> list[System]:
        """The systems that test a prompt."""
        return [one for one in self.record.systems if one.kind == "variant"]

    @property
    def metrics(self) -> list[str]:
        """Every metric, the primary one first."""
        measured = (name for system in self.record.systems for name in system.figures)
        return list(dict.fromkeys([self.record.primary, *measured]))

    @cached_property
    def rows_of(self) -> dict[str, list[Row]]:
        """Rows by system."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.system, []).append(row)
        return found

    @cached_property
    def judged(self) -> dict[tuple[str, str], list[Judgement]]:
        """Judgements by system and query id."""
        found: dict[tuple[str, str], list[Judgement]] = {}
        for one in self.judgements:
            found.setdefault((one.system, one.query_id), []).append(one)
        return found

    def against(self, system: System, other: str) -> Comparison | None:
        """The system's comparison with another by the primary metric; ``None`` without one."""
        for one in system.comparisons:
            if one.against == other and one.metric == self.record.primary:
                return one
        return None

    def conversations(self, hashes: set[str]) -> dict[str, list[Turn]]:
        """Turns by SHA-256; a conversation that is not on file is left out."""
        return read_prompts(self.folder, hashes)


def read_run(folder: Path) -> ShownRun:
    """Read everything but the conversations.

    Raises:
        NotFound: a file of the run is missing.
        InvalidInput: one cannot be read, or the run is none of prompts.
    """
    record = read_record(folder)
    relevant = read_qrels(folder) if (folder / QRELS).is_file() else {}
    return ShownRun(folder, record, read_rows(folder), read_judgements(folder), relevant)
