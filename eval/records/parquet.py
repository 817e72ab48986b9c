"""The door to pyarrow for the tables of a run."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eval.records.whole import whole
from retrieval.errors import InvalidInput, NotFound

TYPES = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def write_table(path: Path, schema: Mapping[str, str], columns: Mapping[str, list[Any]]) -> Path:
    """Write a Parquet file, whole or not at all.

    Args:
        path: of the file.
        schema: a key of ``TYPES`` by column name, in order.
        columns: values by column name, all equally many; ``None`` is a null.
    """
    types = pa.schema({name: TYPES[kind] for name, kind in schema.items()})
    table = pa.Table.from_pydict(dict(columns), schema=types)
    with whole(path) as partial:
        pq.write_table(table, partial, compression="zstd")
    return path


def read_table(
    path: Path,
    schema: Mapping[str, str],
    only: Mapping[str, Collection[str]] | None = None,
    *,
    others: bool = False,
) -> list[dict[str, Any]]:
    """Rows as dictionaries, in file order; a null is ``None``.

    Args:
        path: of the file.
        schema: the columns that must be there.
        only: accepted values by text column; the rest of the file is skipped, not decoded.
        others: give the columns outside ``schema`` too.

    Raises:
        NotFound: no such file.
        InvalidInput: not Parquet, a column is missing, or has another type.
    """
    if not path.is_file():
        raise NotFound(f"there is no {path}", "only a finished run of prompts has it")
    # Typed, since an empty set has no type of its own.
    filters = [
        (name, "in", pa.array(sorted(values), pa.string())) for name, values in (only or {}).items()
    ]
    try:
        found = pq.read_schema(path)
        for name, kind in schema.items():
            if name not in found.names or found.field(name).type != TYPES[kind]:
                raise InvalidInput(
                    f"{path} has no column {name!r} of {kind}",
                    "it was not written by this version of palate eval run",
                )
        table = pq.read_table(
            path, columns=None if others else list(schema), filters=filters or None
        )
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(
            f"{path} is not readable Parquet: {str(error).strip().splitlines()[0][:200]}",
            "run the evaluation again",
        ) from error
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def read_json_cell(path: Path, text: str | None) -> Any:
    """The JSON value of a text cell.

    Raises:
        InvalidInput: the cell is empty or holds no JSON.
    """
    try:
        return json.loads(text or "")
    except ValueError as error:
        raise InvalidInput(
            f"{path}: the cell {(text or '')[:40]!r} is no JSON", "run the evaluation again"
        ) from error
