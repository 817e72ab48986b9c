"""``palate eval``: evaluation runs from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from agent.progress import ConsoleProgress

if TYPE_CHECKING:
    from eval.config import EvalConfig
    from eval.run import EvalResult

app = typer.Typer(
    help="Measure how good the rankings are.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.callback()
def _group() -> None:
    """Measure how good the rankings are."""


@app.command(
    epilog="Example: `palate eval run eval/configs/xwines-reference.toml`. "
    "Exit codes: 0 every expectation held, 1 one did not, 2 could not run."
)
def run(
    config: Annotated[Path, typer.Argument(help="A file like those in eval/configs/.")],
    runs: Annotated[Path, typer.Option(help="Folder that receives the record.")] = Path("runs"),
) -> None:
    """Split, fit, rank the full catalogue, measure, compare with what was expected."""
    # Here and not above: every palate --help loads this file, and these take a second.
    from eval.config import read_config
    from eval.data import load_log
    from eval.records import write_record
    from eval.run import run_evaluation

    wanted = read_config(config)
    with ConsoleProgress() as progress:
        log = load_log(wanted.data, progress)
        result = run_evaluation(wanted, log.interactions, log.catalogue, progress)
    record = write_record(runs, wanted, result, log.interactions)
    out = Console(highlight=False)
    out.print(_table(wanted, result))
    for reason, users in result.left_out.items():
        if users:
            out.print(f"not tested: {users} users ({reason})", markup=False)
    out.print(f"record: {record}", markup=False, soft_wrap=True)
    for miss in result.misses:
        out.print(
            f"FAILED: {miss.expected.system} {miss.expected.metric} = {miss.measured:.4f}, "
            f"expected {miss.expected.value:.4f} within {miss.expected.within}",
            markup=False,
        )
    if result.misses:
        raise typer.Exit(1)
    if wanted.expect:
        out.print(f"passed: {len(wanted.expect)} expectations held", markup=False)


def _table(config: EvalConfig, result: EvalResult) -> Table:
    title = (
        f"{config.name}: {config.split.kind}, {result.queries} users, "
        f"{result.items} items, {result.train} training interactions"
    )
    table = Table(title=title)
    table.add_column("system")
    for name in config.metrics:
        table.add_column(f"{name} [95 % interval]", justify="right")
    table.add_column("fit s", justify="right")
    table.add_column("rank s", justify="right")
    for system in result.systems:
        cells = []
        for name in config.metrics:
            figure = system.figures[name]
            cells.append(f"{figure.mean:.4f} [{figure.low:.4f}, {figure.high:.4f}]")
        table.add_row(
            system.name, *cells, f"{system.fit_seconds:.1f}", f"{system.rank_seconds:.1f}"
        )
    return table
