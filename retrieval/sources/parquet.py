"""Rows of a Parquet file in batches; the only place that knows pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.errors import InvalidInput
from retrieval.sources.lines import MAX_LINE_BYTES

_BATCH_BYTES = 8 << 20
_BATCH_ROWS = 2000


@dataclass(frozen=True, slots=True)
class ParquetFacts:
    """What the footer says: column names, number of rows, a batch size that fits in memory."""

    columns: tuple[str, ...]
    lines: int
    batch_rows: int
    encoding: str = "parquet"


def look_at_parquet(path: Path) -> ParquetFacts:
    """Read the footer only.

    Raises:
        InvalidInput: not a Parquet file, or damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            meta = file.metadata
            size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            per_row = max(1, size // max(1, meta.num_rows))
            batch = max(1, min(_BATCH_ROWS, _BATCH_BYTES // per_row))
            return ParquetFacts(tuple(file.schema_arrow.names), meta.num_rows, batch)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(
            f"{path} is not a readable Parquet file: {_first_line(error)}", "export it again"
        ) from error


def read_parquet_rows(path: Path, facts: ParquetFacts) -> Iterator[tuple[int, dict[str, Any], str]]:
    """(row number from 1, values, problem) of every row."""
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=facts.batch_rows):
                for values in _plain_times(batch).to_pylist():
                    number += 1
                    problem = ""
                    for name, value in values.items():
                        if isinstance(value, str | bytes) and len(value) > MAX_LINE_BYTES:
                            problem = f"{name} has {len(value):,} characters, too many to read"
                    yield number, {} if problem else values, problem
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} cannot be read after row {number}: {_first_line(error)}", "export it again"
        ) from error


def _plain_times(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Nanoseconds do not fit a datetime, so they become microseconds."""
    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
