"""``palate eval list|compare|show|export-mlflow``: runs that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from eval.records.pairs import Line, LoadedRun

_WIDE = 120
_EXIT = "Exit codes: 0 done, 2 bad input, 3 no such run"
_COLOURS = {"passed": "green", "failed": "red"}

Runs = Annotated[Path, typer.Option(help="Folder of all runs.")]
RunId = Annotated[
    str, typer.Argument(metavar="ID", help="An id, its beginning, a run's name or a path.")
]


def register(app: typer.Typer) -> None:
    """Attach the commands."""
    app.command("list", epilog=f"Example: `palate eval list`. {_EXIT}.")(list_)
    app.command(
        epilog="Examples: `palate eval compare 20250102 20250103`, "
        '`palate eval compare wine-v1 wine-v2 --against "v1|qwen|0"`, '
        f"`palate eval compare wine-v2 --against S --metric recall@10`. {_EXIT}.",
    )(compare)
    app.command(
        epilog="Examples: `palate eval show wine-v2`, `palate eval show wine-v2 --query U12`, "
        f'`palate eval show wine-v2 --query U12 --system "v2|qwen|0" --item I7`. {_EXIT} or query.',
    )(show)
    app.command(
        "export-mlflow",
        epilog="Example: `palate eval export-mlflow wine-v2 --tracking-uri sqlite:///mlflow.db`. "
        f"{_EXIT}, 5 MLflow refused.",
    )(export_mlflow)


def list_(runs: Runs = Path("runs")) -> None:
    """List the runs, newest first, each with its verdict."""
    from eval.records.listing import list_runs

    out = _console()
    found = list_runs(runs)
    if not found:
        out.print(f"no run in {runs}: make one with palate eval run CONFIG", markup=False)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("id", no_wrap=True)
    table.add_column("kind")
    table.add_column("queries", justify="right")
    table.add_column("systems", justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("because", overflow="fold")
    for one in found:
        table.add_row(
            Text(one.run_id),
            one.kind,
            "" if one.queries is None else str(one.queries),
            str(one.systems or ""),
            Text(one.verdict, style=_COLOURS.get(one.verdict, "yellow")),
            Text(one.because),
        )
    out.print(table)


def compare(
    ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Ids, beginnings, names or paths.")
    ],
    runs: Runs = Path("runs"),
    metric: Annotated[
        str | None, typer.Option(help="Default: the primary metric of the first run.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="SYSTEM",
            help="Compare every system with this one of the first run, not with its namesake.",
        ),
    ] = None,
    force_different_data: Annotated[
        bool, typer.Option("--force-different-data", help="Also when the runs' data differ.")
    ] = False,
) -> None:
    """Compare runs query by query: mean difference, interval, p, and Holm over all lines."""
    # Here and not above: every palate --help loads this file, and these take a second.
    from eval.records.folder import RunFolder
    from eval.records.pairs import compare_runs, load_run

    loaded = [load_run(RunFolder.open(runs, one)) for one in ids]
    lines = compare_runs(
        loaded, metric=metric, against=against, force_different_data=force_different_data
    )
    out = _console()
    for at, run in enumerate(loaded):
        out.print(
            f"{_letter(at)}: {run.record.id}, {run.record.queries} queries, "
            f"commit {run.record.commit or 'unknown'}",
            markup=False,
            soft_wrap=True,
        )
    whom = f"{against} of A" if against is not None else "the system of the same name"
    out.print(f"{lines[0].found.metric}, paired by query, against {whom}:", markup=False)
    out.print(_comparisons(lines))
    for note in _not_common(lines, loaded):
        out.print(note, markup=False, soft_wrap=True)


def show(
    run: RunId,
    query: Annotated[
        str | None, typer.Option(help="Query id; without it, the largest gains and losses.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="Default: the variant with the best primary metric.")
    ] = None,
    item: Annotated[
        str | None, typer.Option(help="Whose prompt to print; default: the first ranked.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Show why one query ended as it did: ranks, parts, label log-probabilities, the prompt."""
    from eval.cli_show import print_extremes, print_query
    from eval.records.folder import RunFolder

    folder = RunFolder.open(runs, run).path
    if query is None:
        print_extremes(_console(), folder, system)
    else:
        print_query(_console(), folder, query, system, item)


def export_mlflow(
    run: RunId,
    tracking_uri: Annotated[
        str, typer.Option(help="sqlite:///FILE.db or the address of an MLflow server.")
    ],
    experiment: Annotated[str, typer.Option(help="MLflow experiment; made if missing.")] = "palate",
    runs: Runs = Path("runs"),
) -> None:
    """Copy a run's figures and files into MLflow (pip install 'palate[mlflow]')."""
    from eval.records.folder import RunFolder
    from eval.records.mlflow_export import export

    folder = RunFolder.open(runs, run)
    made = export(folder.path, tracking_uri, experiment)
    _console().print(
        f"exported {folder.run_id} to {tracking_uri}: experiment {experiment}, run {made}",
        markup=False,
        soft_wrap=True,
    )


def _console() -> Console:
    out = Console(highlight=False)
    if not out.is_terminal:
        # A file or a pipe has no width of its own, and folded ids cannot be searched for.
        out.width = max(out.width, _WIDE)
    return out


def _letter(at: int) -> str:
    return chr(ord("A") + at) if at < 26 else f"run {at + 1}"


def _comparisons(lines: Sequence[Line]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("runs", no_wrap=True)
    table.add_column("system", overflow="fold")
    for name in ("n", "left mean", "right mean", "difference [95 % interval]", "p", "p Holm"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        found = line.found
        table.add_row(
            f"{_letter(line.second.run)} - {_letter(line.first.run)}",
            Text(line.second.system),
            str(found.n),
            _number(line.mean_second),
            _number(line.mean_first),
            f"{_signed(found.mean)} [{_signed(found.low)}, {_signed(found.high)}]",
            _number(found.p),
            _number(found.p_holm),
        )
    return table


def _not_common(lines: Sequence[Line], loaded: Sequence[LoadedRun]) -> list[str]:
    """One note a pair of runs that were not asked the same, and one a metric with gaps."""
    notes: dict[str, None] = {}
    for line in lines:
        a, b = _letter(line.first.run), _letter(line.second.run)
        if line.only_first or line.only_second:
            notes[
                f"{a} and {b}: {line.only_first} queries only in {a}, "
                f"{line.only_second} only in {b}: left out"
            ] = None
        rows = loaded[line.second.run].rows[line.second.system]
        gaps = len(rows) - line.only_second - line.found.n
        if gaps:
            notes[
                f"{b} {line.second.system}: {gaps} common queries had nothing to measure: left out"
            ] = None
    return list(notes)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"


def _signed(value: float) -> str:
    return "-" if value != value else f"{value:+.4f}"
