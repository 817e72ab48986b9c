"""``palate ingest``: a data-set folder into the stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from agent.progress import ConsoleProgress
from server.cli.console import err, out, settings_from

if TYPE_CHECKING:
    from agent.ingest import IngestReport
    from agent.settings import Settings
    from retrieval.ports import Captioner, Progress

_SHOWN_WARNINGS = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "ingest",
        epilog="Examples: `palate ingest demo/shop`, `palate --home shop ingest DATA --strict`",
    )(ingest_command)


def ingest_command(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="Data-set folder; see docs/dataset.md.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="One bad row refuses everything; nothing is written.")
    ] = False,
    captions: Annotated[
        bool, typer.Option("--captions/--no-captions", help="Describe pictures in words.")
    ] = True,
    rejects: Annotated[
        Path | None, typer.Option(help="Where bad rows go; otherwise rejects.jsonl in the home.")
    ] = None,
) -> None:
    """Read items, users, interactions, reviews and pictures. Safe to repeat and to interrupt."""
    # Here and not above: the readers take a second to import, which --help need not wait for.
    from agent.ingest import ingest
    from agent.stores import open_stores

    settings = settings_from(ctx)
    with ConsoleProgress() as progress, open_stores(settings) as stores:
        report = ingest(
            path,
            catalog=stores.catalog,
            event_log=stores.event_log,
            captioner=_captioner(settings, path, progress) if captions else None,
            strict=strict,
            progress=progress,
            rejects_path=rejects or settings.store.home / "rejects.jsonl",
        )
    _show(report)


def _captioner(settings: Settings, path: Path, progress: Progress) -> Captioner | None:
    # Loaded only when there is something to look at: it takes seconds and optional packages.
    from agent.pictures import has_pictures

    if not has_pictures(path):
        return None
    from agent.captioner import choose_captioner

    return choose_captioner(settings, None, progress)


def _show(report: IngestReport) -> None:
    table = Table("", "read", "new", "unchanged", "rejected")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, read in report.read.items():
        counts = (read, report.new[name], report.unchanged[name], report.rejected.get(name, 0))
        table.add_row(name, *(f"{count:,}" for count in counts))
    out.print(table)
    pictures, written, unusable = report.captions
    if pictures:
        out.print(f"pictures: {pictures:,}, described now {written:,}, unusable {unusable:,}")
    for warning in report.warnings[:_SHOWN_WARNINGS]:
        err.print(f"warning: {warning}", markup=False)
    if len(report.warnings) > _SHOWN_WARNINGS:
        err.print(f"… and {len(report.warnings) - _SHOWN_WARNINGS:,} more warnings")
    for reject in report.first_rejects:
        err.print(f"rejected: {reject}", markup=False)
    if report.rejects_path is not None:
        err.print(f"every rejected row is in {report.rejects_path}", markup=False)
