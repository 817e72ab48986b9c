"""``palate convert``: published data to a data-set folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.progress import ConsoleProgress
from server.cli.console import err, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "convert",
        epilog="Example: `palate convert movielens ml-100k DATA`, then `palate ingest DATA`",
    )(convert_command)


def convert_command(
    kind: Annotated[str, typer.Argument(help="What it is: xwines, amazon, movielens.")],
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The files as published.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="The data-set folder to make.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing DST.")] = False,
) -> None:
    """Turn X-Wines, Amazon 5-core or MovieLens files into a folder for ``palate ingest``."""
    from retrieval.sources.convert.registry import convert

    with ConsoleProgress() as progress:
        report = convert(kind, source, target, force=force, progress=progress)
    rows = ", ".join(f"{count:,} {name}" for name, count in report.rows.items())
    out.print(f"{target}: {rows}", markup=False)
    for note in report.notes:
        err.print(f"note: {note}", markup=False)
